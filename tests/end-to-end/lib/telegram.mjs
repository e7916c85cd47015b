// Telegram's place: the stand-in for the Bot API on the address of a bridge, and the people who write there.

import { spawn } from 'node:child_process';

import { docker, freePort, repository, until } from './shell.mjs';

export const USERNAME = 'House_bot';

export class Telegram {
  /** For the containers of `network`. */
  static async start(network, token) {
    const telegram = Object.assign(new Telegram(), { token });
    telegram.address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
    const port = await freePort();
    telegram.url = `http://${telegram.address}:${port}`;
    const options = ['--address', telegram.address, '--port', String(port), '--token', token, '--username', USERNAME];
    telegram.process = spawn('compose/peers/telegram/serve', options, { cwd: repository, stdio: 'ignore' });
    await until('the Bot API is served', () => telegram.sim('state'));
    return telegram;
  }

  async sim(what, params = {}) {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/sim/${what}`, { method: 'POST', headers, body: JSON.stringify(params) });
    if (!response.ok) throw new Error(`${what}: ${await response.text()}`);
    return response.json();
  }

  /** Somebody writes; in his own chat, or in a group. */
  write(from, text, { group, mention, ...more } = {}) {
    const words = mention ? `@${USERNAME} ${text}` : text;
    return this.sim('message', { user_id: from, text: words, ...(group ? { chat_id: group } : {}), ...more });
  }

  /** Somebody writes, and the agent has taken note of everything that was written. */
  async heard(...message) {
    await this.write(...message);
    await until('every update is confirmed', async () => (await this.sim('state')).pending === 0);
  }

  press(from, label, { group, ...more } = {}) {
    return this.sim('press', { user_id: from, label, ...(group ? { chat_id: group } : {}), ...more });
  }

  async messages(chat) {
    return (await this.sim(`chat/${chat}`)).messages;
  }

  /** What the bot says in a chat, as it reads now. */
  async to(chat) {
    return (await this.messages(chat)).filter(({ from }) => from.is_bot).map(({ text }) => text);
  }

  /** The same, as soon as there are so many. */
  sentTo(chat, count) {
    return until(`${count} messages to ${chat}`, async () => {
      const sent = await this.to(chat);
      return sent.length >= count ? sent : false;
    });
  }

  /** A message of the bot, as soon as it says so. */
  says(chat, words) {
    return until(`"${words}" to ${chat}`, async () => (await this.messages(chat)).find(({ from, text }) => from.is_bot && text?.includes(words)) ?? false);
  }

  /** What the bot asked of a method. */
  calls(method) {
    return this.sim('calls', { method });
  }

  stop() {
    this.process.kill();
  }
}
