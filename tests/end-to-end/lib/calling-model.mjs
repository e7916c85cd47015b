// A model that calls the tool it is told to, and says what came back. And the way in for scripts.

import assert from 'node:assert/strict';

import { MODEL, scriptedModel } from './scripted-model.mjs';

/** A person's message `{"tool": …, "arguments": {…}}` is one call; anything else is said back. */
export function callingModel(request, body, response) {
  if (request.url.endsWith('/models')) {
    return response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: 'list', data: [{ id: MODEL, object: 'model' }] }));
  }
  const { messages, model } = JSON.parse(body);
  const last = messages.at(-1);
  const call = last.role === 'user' && last.content.startsWith('{') ? JSON.parse(last.content) : null;
  const name = call?.tool.replaceAll('.', '_');
  const delta = call
    ? { tool_calls: [{ index: 0, id: 'call-1', type: 'function', function: { name, arguments: JSON.stringify(call.arguments) } }] }
    : { content: String(last.content) };
  const chunk = (delta, finish_reason) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  response.setHeader('content-type', 'text/event-stream');
  return response.end(`${chunk({ role: 'assistant', ...delta }, null)}${chunk({}, call ? 'tool_calls' : 'stop')}data: [DONE]\n\n`);
}

/** What a person says that has a script is played by it (`scriptedModel`), anything else by the model above. */
export function playingModel(scripts) {
  const played = scriptedModel(scripts);
  return (request, body, response) => {
    const said = body && JSON.parse(body).messages?.findLast(({ role }) => role === 'user')?.content;
    return (scripts.has(said) ? played : callingModel)(request, body, response);
  };
}

/** A script that makes one call, and then says `words`. */
export const oneCall = (name, args, words) => ({ results }) => (results.length === 0 ? { calls: [[name, JSON.stringify(args)]] } : { content: words });

/** The newest chat of a profile, as `botctl session show` prints it. */
export async function transcript(bot, profile) {
  const { sessions: [session] } = await bot.json('session', 'list', profile);
  return (await bot.botctl('session', 'show', profile, session.id)).stdout;
}

/** Has `name` of `profile` call a tool; gives its result, or its error as text. */
export async function callTool({ bot, profile, name, token }, tool, args) {
  const response = await fetch(`${bot.url(profile)}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: name, messages: [{ role: 'user', content: JSON.stringify({ tool, arguments: args }) }] }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { content } = JSON.parse(text).choices[0].message;
  return content.startsWith('{') ? JSON.parse(content) : content;
}

/** The cards of a profile's gate that wait for somebody. */
export async function pending(bot, profile) {
  const { profiles: [found] } = await bot.json('approval', 'list', profile);
  return found.confirmations.filter((card) => card.state.is === 'pending');
}
