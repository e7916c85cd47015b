import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device, guessName, shortCode, signedText } from '../../sidecars/gate/page/device.js';
import { Pairing, isSetupCode } from '../../sidecars/gate/page/pairing.js';
import { Storage } from './timers.mjs';

const CHALLENGE = { nonce: 'n0nce', time: 7, host: '127.0.0.1:18789', profile: 'personal' };
const device = { id: '1a2b3c4d', publicKey: 'key', sign: async (purpose, challenge) => `${purpose} ${challenge.nonce}` };

/** A gate that answers from a list: `[status, body]`, or nothing for no answer at all. */
function gate(...answers) {
  const asked = [];
  const fetch = async (path, { body } = {}) => {
    asked.push([path, body && JSON.parse(body)]);
    const answer = answers.shift();
    if (!answer) throw new TypeError('Failed to fetch');
    return { ok: answer[0] < 300, json: async () => answer[1] };
  };
  return { fetch, asked };
}

const error = (code) => ({ error: { code, message: 'words' } });
const pairing = (played, storage = new Storage(), now = () => 0) => new Pairing({ fetch: played.fetch, storage, now, pause: async () => {} });

test('with a code the answer comes at once', async () => {
  const played = gate([200, CHALLENGE], [200, { device: device.id, name: 'n' }]);
  assert.equal(await pairing(played).request(device, 'Phone', 'CODE'), 'accepted');
  assert.deepEqual(played.asked[1], ['/pair', { public_key: 'key', name: 'Phone', nonce: 'n0nce', time: 7, signature: 'pair n0nce', code: 'CODE' }]);
});

test('without a code the request waits, also after a reload', async () => {
  const storage = new Storage();
  const asks = gate([200, CHALLENGE], [202, { request: 'r1', expires_at: 900 }]);
  assert.equal(await pairing(asks, storage).request(device, 'Phone'), 'pending');
  assert.equal('code' in asks.asked[1][1], false);
  const waits = gate([200, { state: 'pending' }], undefined, [503, error('agent_unavailable')], [200, { state: 'accepted', device: device.id, name: 'n' }]);
  assert.equal(await pairing(waits, storage).outcome(), 'accepted');
  assert.deepEqual(waits.asked.map(([path]) => path), Array(4).fill('/pair/r1'));
  assert.equal(pairing(waits, storage).pending, null);
});

test('it ends: refused, expired, gone, left', async () => {
  const check = async (answers, expected, now) => {
    const storage = new Storage();
    storage.setItem('pairing', '{"request":"r1","expires_at":900}');
    assert.equal(await pairing(gate(...answers), storage, now).outcome(), expected);
    assert.equal(storage.getItem('pairing'), null);
  };
  await check([[200, { state: 'refused', reason: 'no' }]], 'refused');
  await check([[200, { state: 'expired' }]], 'expired');
  await check([[404, error('not_found')]], 'expired');
  await check([], 'expired', () => 10_000);
  assert.equal(await pairing(gate()).outcome(AbortSignal.abort()), 'left');
});

test('errors carry the code of the gate', async () => {
  const check = async (answers, code) => assert.rejects(pairing(gate(...answers)).request(device, 'Phone', 'CODE'), { code });
  await check([], 'unreachable');
  await check([[429, error('rate_limited')]], 'rate_limited');
  await check([[200, CHALLENGE], [401, error('unauthorized')]], 'unauthorized');
  await check([[200, CHALLENGE], [502, {}]], 'unreachable');
});

test('the signed text is the one of platform_types, and only for the host that the page came from', () => {
  const id = '0'.repeat(64);
  assert.equal(signedText('connect', id, CHALLENGE, '127.0.0.1:18789'), `bot-platform connect v1\npersonal\n127.0.0.1:18789\n${id}\nn0nce\n7`);
  assert.throws(() => signedText('connect', id, CHALLENGE, 'localhost:18789'), /127\.0\.0\.1/);
});

test('what devices do about devices is signed whole', async () => {
  const make = async (id) => {
    const { publicKey, privateKey } = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    const signs = async (text, signature) => crypto.subtle.verify('Ed25519', publicKey, Buffer.from(signature, 'base64url'), Buffer.from(text));
    return { signs, device: new Device(id, { id, raw: new Uint8Array(32), privateKey }) };
  };
  const [old, next] = [await make('a'.repeat(64)), await make('b'.repeat(64))];
  const asking = { id: 'r1', device: 'c'.repeat(64), name: "Anna's phone" };
  const admitted = await old.device.admit('personal', asking, 'allow', ['chat', 'approve']);
  assert.ok(await old.signs(`bot-platform admit v1\npersonal\n${old.device.id}\nr1\n${asking.device}\nAnna's phone\nallow\nchat,approve`, admitted));
  const { signature, proof } = await old.device.handOver(next.device, CHALLENGE, '127.0.0.1:18789');
  const text = `bot-platform rotate v1\npersonal\n${old.device.id}\n${next.device.id}\n127.0.0.1:18789\nn0nce\n7`;
  assert.ok(await old.signs(text, signature));
  assert.ok(await next.signs(text, proof));
  await assert.rejects(old.device.handOver(next.device, CHALLENGE, 'localhost:18789'), /127\.0\.0\.1/);
});

test('people compare eight digits', () => {
  assert.equal(shortCode('1a2b3c4d5e6f'), '1a2b-3c4d');
});

test('browsers get a name', () => {
  const check = (agent, browser, system) => assert.deepEqual(guessName(agent), { browser, system });
  check('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', 'Chrome', 'Linux');
  check('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari', 'iPhone');
  check('Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36', 'Chrome', 'Android');
  check('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0', 'Edge', 'Windows');
  check('Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0', 'Firefox', 'Mac');
  check('curl/8', 'Browser', '');
});

test('a link that was cut or bent on its way is not whole', () => {
  const whole = '7Q4M2K9ZB1C6D8E0F3G5H7J9KA';
  assert.equal(isSetupCode(whole), true);
  for (const bent of ['', 'AAAA', whole.slice(0, 25), `${whole}A`, whole.toLowerCase(), whole.replace('7', 'U'), `${whole.slice(1)}\n`]) assert.equal(isSetupCode(bent), false, bent);
});
