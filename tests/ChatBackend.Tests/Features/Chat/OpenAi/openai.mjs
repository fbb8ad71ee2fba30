// The official client of OpenAI's API. Argument: the service's address. Prints one line of JSON for each step.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: `${process.argv[2]}v1`, apiKey: 'none', maxRetries: 0 });
const print = (step, value) => console.log(JSON.stringify({ step, value }));
const messages = [{ role: 'user', content: 'How do two ROS 2 nodes talk to each other?' }];
const ask = more => client.chat.completions.create({ model: 'book', messages, ...more });
const refusal = asking => asking.then(() => null, e => ({ type: e.constructor.name, status: e.status, code: e.code, param: e.param, message: e.message }));

print('models', await client.models.list().then(list => list.data.map(model => model.id)));
print('answer', await ask());

const chunks = [];
for await (const chunk of await ask({ stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
print('stream', chunks);
print('collected', await client.chat.completions.stream({ model: 'book', messages }).finalChatCompletion());

print('parts', await ask({ messages: [{ role: 'user', content: [{ type: 'text', text: 'How do two ROS 2 nodes talk?' }] }] }).then(a => a.choices[0].message.content));
print('refused', await refusal(ask({ messages: [{ role: 'user', content: 'x'.repeat(4001) }] })));
print('failed', await refusal(ask()));
print('failed in the stream', await refusal((async () => { for await (const _ of await ask({ stream: true })); })()));
