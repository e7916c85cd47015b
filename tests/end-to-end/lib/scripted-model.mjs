// A model server that says what a script says: the words of the person choose it. And an upstream that remembers what it was asked.

import http from 'node:http';

import { docker } from './shell.mjs';

export const MODEL = 'scripted/model';

/** A server on the bridge's own address: a bridged container cannot reach the host's loopback. */
export async function serveOn(network, handle) {
  const address = await docker('network', 'inspect', network, '--format', '{{(index .IPAM.Config 0).Gateway}}');
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    handle(request, body, response);
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, address, resolve));
  return { address, url: `http://${address}:${server.address().port}`, stop: () => { server.close(); server.closeAllConnections(); } };
}

/**
 * `scripts` maps a person's message to a function of the conversation, which answers one delta, a list of them, or nothing. A delta is
 * `{content}` or `{calls: [[wire name, arguments as text]…]}`.
 */
export function scriptedModel(scripts) {
  return (request, body, response) => {
    if (request.url.endsWith('/models')) {
      return response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: 'list', data: [{ id: MODEL, object: 'model' }] }));
    }
    const { messages, model, tools = [] } = JSON.parse(body);
    const said = messages.findLast(({ role }) => role === 'user')?.content ?? '';
    const after = messages.slice(messages.findLastIndex(({ role }) => role === 'user') + 1);
    const script = scripts.get(said) ?? (() => ({ content: `no script for ${said}` }));
    const deltas = [script({ results: after.filter(({ role }) => role === 'tool').map(({ content }) => String(content)), tools, messages })].flat();
    const chunk = (delta, reason = null) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model, choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
    response.setHeader('content-type', 'text/event-stream');
    let called = false;
    for (const { content, calls } of deltas) {
      called ||= Boolean(calls);
      response.write(chunk(calls ? { tool_calls: calls.map(([name, text], index) => ({ index, id: `call-${index}`, type: 'function', function: { name, arguments: text } })) } : { role: 'assistant', content }));
    }
    return response.end(`${chunk({}, called ? 'tool_calls' : 'stop')}data: [DONE]\n\n`);
  };
}
