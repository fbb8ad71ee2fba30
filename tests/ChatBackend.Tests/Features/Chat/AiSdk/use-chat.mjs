// React's useChat in a page of jsdom. Arguments: the service's address, the chat's id, the example of docs/clients.md.
// Prints one line of JSON for each step: the messages that the page shows.
import { JSDOM } from 'jsdom';

const [, , service, chatId, example] = process.argv;
const { window } = new JSDOM('<div id="chat"></div>', { url: 'https://book.example/docs/ros2/topics' });
Object.assign(globalThis, { window, document: window.document });
const { createElement } = await import('react');
const { createRoot } = await import('react-dom/client');
const { useChat } = await import('@ai-sdk/react');
const { DefaultChatTransport } = await import('ai');

function mount(hook) {
  const page = { chat: undefined, root: createRoot(window.document.getElementById('chat')) };
  const Chat = () => {
    page.chat = hook();
    return null;
  };
  page.root.render(createElement(Chat));
  return page;
}

async function until(condition) {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 10));
}

const text = message => message.parts.filter(part => part.type === 'text').map(part => part.text).join('');
const isAnswered = (page, count) => page.chat?.messages.length === count && page.chat.messages.at(-1).parts.some(part => part.type === 'data-grounding');
const print = (step, page) => console.log(JSON.stringify({ step, value: page.chat.messages.map(message => ({ id: message.id, text: text(message) })) }));

// The example as it stands: its call follows its hook.
const call = example.indexOf('\nsendMessage(');
const use = new Function('useChat', 'DefaultChatTransport', 'service', 'chatId', `${example.slice(0, call)}\nreturn {messages, sendMessage, resumeStream};`);
const ask = new Function('sendMessage', 'selection', 'location', example.slice(call));
const hook = () => use(useChat, DefaultChatTransport, service, chatId);

const first = mount(hook);
await until(() => first.chat);
ask(first.chat.sendMessage, 'Two ROS 2 nodes talk to each other over topics', window.location);
await until(() => isAnswered(first, 2));
print('answered', first);

// The page is reloaded while an answer is written.
first.chat.sendMessage({ text: 'What does a ROS 2 service answer?' });
await until(() => first.chat.messages.length === 4 && text(first.chat.messages[3]).includes('One'));
first.root.unmount();
const stored = async () => (await (await fetch(`${service}/chat/sessions/${chatId}/messages`)).json()).items
  .map(item => ({ id: item.message_id, role: item.role, parts: [{ type: 'text', text: item.content }] }));
const messages = await stored();
const loaded = mount(() => useChat({ id: chatId, messages, transport: new DefaultChatTransport({ api: `${service}/api/chat` }) }));
await until(() => loaded.chat);
loaded.chat.resumeStream();
await until(() => loaded.chat.messages.length === 4 && text(loaded.chat.messages[3]).includes('One'));
console.log(JSON.stringify({ step: 'resumed', value: [] }));
await until(() => isAnswered(loaded, 4));
print('whole', loaded);
loaded.root.unmount();

// All messages have the store's ids: asked again, then edited.
const all = await stored();
const again = mount(() => useChat({ id: chatId, messages: all, transport: new DefaultChatTransport({ api: `${service}/api/chat` }) }));
await until(() => again.chat);
await again.chat.regenerate({ messageId: all[3].id });
await until(() => isAnswered(again, 4) && again.chat.status === 'ready');
print('regenerated', again);
await again.chat.sendMessage({ text: 'What do two ROS 2 nodes exchange?', messageId: all[0].id });
await until(() => isAnswered(again, 2) && again.chat.status === 'ready');
print('edited', again);
process.exit(0);
