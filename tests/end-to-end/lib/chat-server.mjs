// A chat server on the address of a bridge: people write, a bot asks for updates and sends, with Telegram's names and shapes.

import { startUpstream } from './attacker.mjs';

export const BOT = { id: 42, is_bot: true, first_name: 'House', username: 'House_bot' };

export class ChatServer {
  static async start(network, token) {
    const chat = Object.assign(new ChatServer(), { token, updates: [], outbox: [], number: 0, waiting: new Set() });
    chat.upstream = await startUpstream(network, (request, response, body) => chat.answer(request, response, body));
    return chat;
  }

  /** Somebody writes; in his own chat, or in a group. */
  write(from, text, { group, mention } = {}) {
    this.number += 1;
    const full = mention ? `@${BOT.username} ${text}` : text;
    const message = {
      message_id: this.number, date: 1, text: full,
      chat: group ? { id: group, type: 'group', title: 'A group' } : { id: from, type: 'private', first_name: 'Eve' },
      from: { id: from, is_bot: false, first_name: `Eve ${from}`, username: 'eve' },
      ...(mention ? { entities: [{ type: 'mention', offset: 0, length: BOT.username.length + 1 }] } : {}),
    };
    this.updates.push({ update_id: this.number, message });
    for (const wake of this.waiting) wake();
  }

  /** What was sent to a chat. */
  to(chat) {
    return this.outbox.filter((sent) => sent.chat_id === chat).map((sent) => sent.text);
  }

  async answer(request, response, body) {
    const method = request.url.startsWith(`/bot${this.token}/`) ? request.url.split('/').at(-1) : '';
    const asked = body ? JSON.parse(body) : {};
    const say = (result, status = 200) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ ok: status === 200, result }));
    if (method === 'getMe') return say(BOT);
    if (method === 'sendMessage') {
      this.outbox.push(asked);
      return say({ message_id: this.outbox.length, chat: { id: asked.chat_id } });
    }
    if (method !== 'getUpdates') return say({}, 404);
    const open = () => {
      if (asked.offset !== undefined) this.updates = this.updates.filter((update) => update.update_id >= asked.offset);
      return this.updates;
    };
    if (!open().length && asked.timeout) {
      await new Promise((resolve) => {
        const wake = () => { clearTimeout(timer); this.waiting.delete(wake); resolve(); };
        const timer = setTimeout(wake, asked.timeout * 1000);
        this.waiting.add(wake);
        response.on('close', wake);
      });
    }
    return say(open().slice(0, asked.limit ?? 100));
  }

  stop() {
    for (const wake of this.waiting) wake();
    this.upstream.server.close();
    this.upstream.server.closeAllConnections();
  }
}
