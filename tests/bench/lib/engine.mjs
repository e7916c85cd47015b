// The plain Engine API: what creating and starting containers costs when nothing else is done.

import http from 'node:http';

export function engine(method, path, body) {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } : {};
    const request = http.request({ socketPath: '/var/run/docker.sock', method, path: `/v1.41${path}`, headers }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => {
        if (response.statusCode >= 400) return reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        resolve(text ? JSON.parse(text) : null);
      });
    });
    request.on('error', reject);
    request.end(payload);
  });
}

/** The body that makes a container like one that was inspected. */
export function like(container) {
  const { Config, HostConfig } = container;
  const { Hostname: _, ...config } = Config;
  return { ...config, HostConfig };
}

export const remove = (name) => engine('DELETE', `/containers/${name}?force=true`).catch((error) => {
  if (!/404/.test(error.message)) throw error;
});
