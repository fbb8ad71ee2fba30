// A chat with the transport that useChat has by default. Arguments: the package, the service's address, the chat's id.
// Prints one line of JSON for each step.
const [, , name, address, id] = process.argv;
const { DefaultChatTransport, readUIMessageStream } = await import(name);
const transport = new DefaultChatTransport({ api: `${address}api/chat` });
const print = (step, value) => console.log(JSON.stringify({ step, value }));

const user = (key, text) => ({ id: key, role: 'user', parts: [{ type: 'text', text }] });
const send = (messages, more = {}) => transport.sendMessages({ chatId: id, messages, trigger: 'submit-message', messageId: undefined, abortSignal: undefined, ...more });

// The message as useChat shows it, the types of its chunks, and the error that it reports.
async function read(stream, seen = () => {}) {
  const types = [];
  let error;
  const watched = stream.pipeThrough(new TransformStream({ transform(chunk, controller) { types.push(chunk.type); controller.enqueue(chunk); } }));
  let message;
  try {
    for await (const next of readUIMessageStream({ stream: watched, onError: e => { error ??= e.message; } })) {
      message = next;
      seen(next);
    }
  } catch (e) { error ??= e.message; }
  return { message, types: types.filter((type, i) => type !== types[i - 1]), error };
}

const text = message => message.parts.filter(part => part.type === 'text').map(part => part.text).join('');

const first = user('question-1', 'How do two ROS 2 nodes talk to each other?');
const answer = await read(await send([first]));
print('answer', answer);

print('again', await read(await send([first])));

print('refused', await send([user('question-x', 'x'.repeat(4001))]).then(() => null, error => error.message));

// The client hangs up after the first words, and comes back.
const history = [first, answer.message];
const leaving = new AbortController();
const second = user('question-2', 'Which services do the nodes use then?');
const left = await read(await send([...history, second], { abortSignal: leaving.signal }), message => {
  if (text(message).includes('A client')) leaving.abort();
});
print('left', left.error);
const resumed = await transport.reconnectToStream({ chatId: id });
let told = false;
print('resumed', await read(resumed, message => {
  if (!told && text(message).includes('A client')) {
    told = true;
    print('waiting', null);
  }
}));
print('nothing left', await transport.reconnectToStream({ chatId: id }));

const third = user('question-3', 'What keeps a humanoid in balance?');
print('failed', await read(await send([...history, third])));
print('regenerated', await read(await send([...history, third], { trigger: 'regenerate-message', messageId: undefined })));
print('replaced', await read(await send([first], { trigger: 'regenerate-message', messageId: answer.message.id })));

const edited = user('question-1', 'What do two ROS 2 nodes exchange?');
print('edited', await read(await send([edited], { messageId: 'question-1' })));
print('edited again', await read(await send([edited], { messageId: 'question-1' })));
print('edited and asked again', await read(await send([edited], { trigger: 'regenerate-message' })));
