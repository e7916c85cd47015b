// From inside: a program with exactly the confinement of an agent tries to get out. The neighbours do not notice.

import assert from 'node:assert/strict';
import { readFile, rm, stat, symlink } from 'node:fs/promises';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { Installation } from './lib/installation.mjs';
import { Confinement, buildProbe, copyVolume, removeContainer } from './lib/probe.mjs';
import { docker, inspect, run, until } from './lib/shell.mjs';

/** What nothing on this host bounds, and the platform says so (`botctl doctor`). */
const NOT_ENFORCED_HERE = ['fill-state'];

let bot;
let image;
let confined;
let copy;
let copyName;
let token;
let bots;
const listeners = [];
const visits = [];

before(async () => {
  image = await buildProbe();
  bot = await Installation.create('escape');
  await bot.up();
  token = Object.fromEntries(await Promise.all(['personal', 'ops'].map(async (name) => [name, (await bot.json('token', 'create', name, 'neighbour')).token])));
  bots = Object.fromEntries(await Promise.all(['personal', 'ops'].map(async (name) => [name, await firstBot(name)])));
  copyName = `${bot.name}-copy`;
  copy = await copyVolume(`${bot.name}-personal-state`, copyName);
  confined = await Confinement.of(bot.container('agent', 'personal'), image, copyName);
});
after(async () => {
  for (const listener of listeners) listener.close();
  if (copyName) await run('docker', ['volume', 'rm', '-f', copyName], { mayFail: true });
  await bot?.remove();
});

async function firstBot(profile) {
  const response = await fetch(`${bot.url(profile)}/v1/models`, { headers: { authorization: `Bearer ${token[profile]}` } });
  return (await response.json()).data[0].id;
}

/** One turn, from the port to the model and back. */
async function turn(profile) {
  const response = await fetch(`${bot.url(profile)}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token[profile]}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: bots[profile], messages: [{ role: 'user', content: 'are you there' }] }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text).choices[0].message.content;
}

/** The neighbour chats without a pause while `work` is done; every turn has to be answered. */
async function whileNeighbourChats(work) {
  let done = false;
  let turns = 0;
  const chatting = (async () => {
    do {
      assert.ok(await turn('ops'));
      turns += 1;
      await setTimeout(20);
    } while (!done);
  })();
  try {
    const [result] = await Promise.all([work().finally(() => (done = true)), chatting]);
    return { result, turns };
  } finally {
    done = true;
  }
}

/** Somebody of the host who must not be reached. */
async function listen(where) {
  const server = net.createServer((socket) => {
    visits.push(where);
    socket.destroy();
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(where, resolve));
  listeners.push(server);
  return server.address();
}

/** The gateways of our bridges and of Docker's own. */
async function gateways() {
  const networks = ['bridge', bot.container('gate', 'personal'), bot.container('gate', 'ops'), bot.container('spark')];
  return Promise.all(networks.map((name) => docker('network', 'inspect', name, '--format', '{{(index .IPAM.Config 0).Gateway}}')));
}

/** Everything on the host that the probe is told of. */
async function surroundings() {
  const containers = await Promise.all(bot.containers().map(inspect));
  const bridges = await gateways();
  const services = await Promise.all([...bridges, '127.0.0.1'].map(async (host) => `${host}:${(await listen({ host, port: 0 })).port}`));
  const own = Object.values(networkInterfaces()).flat().filter((found) => found.family === 'IPv4').map((found) => found.address);
  const inside = containers.flatMap((found) => Object.values(found.NetworkSettings.Networks).map((network) => network.IPAddress)).filter(Boolean);
  const ports = [bot.ports.personal, bot.ports.ops];
  const published = ['127.0.0.1', ...bridges, ...own].flatMap((host) => ports.map((port) => `${host}:${port}`));
  await listen({ path: `\0${bot.name}-abstract` });
  const runs = path.join(bot.root, 'run/run');
  const opsVolume = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', `${bot.name}-ops-state`);
  return {
    tcp: [...new Set([...services, ...published, ...inside.map((host) => `${host}:8080`),
      '198.51.100.7:443', '203.0.113.7:80', '169.254.169.254:80', '127.0.0.11:53', '[::1]:80', '[2001:db8::1]:443', '[fe80::1]:80'])],
    udp: [...bridges, '198.51.100.53', '127.0.0.11', '224.0.0.251'].map((host) => `${host}:53`).concat('[2001:db8::53]:53'),
    abstract_sockets: [`${bot.name}-abstract`],
    paths: [
      opsVolume, bot.root, path.join(bot.root, 'etc/secrets'), path.join(bot.root, 'lib/supervisor.db'), path.join(bot.root, 'run/supervisor.sock'),
      ...['ops/http', 'ops/agent-admin', 'ops/egress', 'personal/gate-admin', 'ops/tailnet', 'spark/ops/llm.sock', 'spark-admin/spark.sock', 'spark-secrets', 'backup-secrets']
        .map((name) => path.join(runs, name)),
      '/run/bot/http/../../../ops', '/run/bot/egress/../gate-admin', '/run/bot/llm/../ops/llm.sock', '/run/secrets', '/etc/shadow', '/root',
    ],
    processes: [await bot.supervisorPid(), ...containers.map((found) => found.State.Pid)],
  };
}

/** The supervisor has seen that something is not well. */
function seen() {
  return until('the supervisor sees it', async () => !(await bot.json('status')).well, 60);
}

/** Profile and neighbour are well, and nobody but the profile was replaced. */
async function well() {
  await bot.well(90);
  assert.ok(await turn('ops'));
  assert.ok(await turn('personal'));
}

test('the probe is confined exactly as the agent is', async () => {
  const agent = await inspect(bot.container('agent', 'personal'));
  const { inspected } = await confined.run(`${bot.name}-same`, ['user']);
  const plain = ({ HostConfig, Config }) => ({ ...HostConfig, Mounts: HostConfig.Mounts.filter((mount) => mount.Type !== 'volume'), user: Config.User });
  assert.deepEqual(plain(inspected), plain(agent));
  assert.equal(inspected.HostConfig.NetworkMode, 'none');
});

test('nothing that is tried from inside succeeds, and the neighbour goes on', async (t) => {
  const before = await bot.ids();
  const around = await surroundings();
  const { result, turns } = await whileNeighbourChats(() => confined.attempt(`${bot.name}-probe`, around));
  const { reports, inspected } = result;
  t.diagnostic(`${reports.length} attempts, ${turns} turns of the neighbour meanwhile`);
  for (const report of reports) t.diagnostic(`${report.outcome.padEnd(9)} ${report.name}: ${report.detail}`);
  const succeeded = reports.filter((report) => report.outcome === 'succeeded' && !NOT_ENFORCED_HERE.includes(report.name));
  assert.deepEqual(succeeded, []);
  const families = reports.filter((report) => report.name.endsWith('-socket') && report.name !== 'docker-socket');
  assert.ok(families.every((report) => report.detail.startsWith('EPERM')), 'it is the filter that refuses families');
  assert.ok(reports.length >= 100, `${reports.length} attempts`);
  for (const name of NOT_ENFORCED_HERE) {
    t.diagnostic(`not enforced here unless blocked: ${name} ${reports.find((report) => report.name === name).outcome}`);
  }
  assert.deepEqual(visits, [], 'nobody of the host was reached');
  assert.equal(inspected.HostConfig.Memory, inspected.HostConfig.MemorySwap);
  await well();
  assert.deepEqual(await bot.ids(), before, 'no container was replaced');
});

/** What `doctor --security` says, check to verdict and texts. */
async function security() {
  const { checks } = await bot.json('doctor', '--security');
  return Object.fromEntries(checks.map((check) => [check.check, { verdict: check.verdict, says: [check.summary, ...check.details].join('\n') }]));
}

test('doctor --security: all is well, what is not enforced is said, and what was broken is found', async () => {
  const checks = ['confinement', 'users', 'networks', 'mounts', 'as-planned', 'strangers', 'directories', 'names', 'private-files', 'from-inside'];
  const before = await security();
  for (const check of checks) assert.equal(before[check].verdict, 'ok', `${check}: ${before[check].says}`);
  assert.match(before['from-inside'].says, /^[5-9]\d attempts .* 2 agents/);
  assert.equal(before['not-enforced'].verdict, 'advice');
  assert.match(before['not-enforced'].says, /size of a volume/);
  const stranger = await docker('create', '--network', bot.container('gate', 'personal'), '--volume', `${bot.name}-ops-state:/x`, '--volume', `${bot.root}:/y`, image, 'user');
  const files = [path.join(bot.root, 'lib/supervisor.db'), path.join(bot.root, 'etc/secrets'), path.join(bot.root, 'run/run/ops/http')];
  const link = path.join(bot.root, 'run/run/ops/http/99.sock');
  try {
    await run('chmod', ['o+rwx', ...files]);
    await symlink('/var/run/docker.sock', link);
    const found = await security();
    assert.match(found.strangers.says, /is in the network[^]*has the volume[^]*of the host/);
    assert.match(found['private-files'].says, /supervisor\.db[^]*secrets/);
    assert.match(found.directories.says, /ops\/http: it has mode 0757/);
    assert.match(found.names.says, /99\.sock: a symbolic link/);
    for (const check of ['strangers', 'private-files', 'directories', 'names']) assert.equal(found[check].verdict, 'problem');
  } finally {
    await removeContainer(stranger);
    await rm(link, { force: true });
    await run('chmod', ['o-rwx', ...files]);
    await run('chmod', ['o+rx', files[2]]);
  }
  const left = await docker('ps', '-aq', '--filter', 'label=io.bot-platform.confinement');
  assert.equal(left, '', 'the probes are gone');
  const after = await security();
  for (const check of checks) assert.equal(after[check].verdict, 'ok', `${check}: ${after[check].says}`);
});

test('the attempts are able to succeed: without the confinement they do', async (t) => {
  const [gateway] = await gateways();
  const address = `${gateway}:${(await listen({ host: gateway, port: 0 })).port}`;
  const here = [
    'tcp-socket', 'udp-socket', 'netlink-socket', 'raw-socket', 'packet-socket', 'interfaces', 'write-root', 'make-device', 'capabilities', 'new-privileges',
    'allow-privileges', 'setuid-file', 'chroot', 'other-group', 'root-user', 'many-processes', `tcp ${address}`, `udp ${gateway}:53`,
  ];
  const plain = confined.without((body) => {
    body.User = '0:0';
    body.HostConfig = { NetworkMode: 'bridge', Tmpfs: { '/tmp': '' }, Memory: body.HostConfig.Memory, PidsLimit: 1024 };
  });
  const { reports } = await plain.attempt(`${bot.name}-plain`, { only: here, tcp: [address], udp: [`${gateway}:53`] });
  const blocked = reports.filter((report) => report.outcome === 'blocked');
  assert.deepEqual(blocked, []);
  assert.equal(reports.length, here.length);
  assert.deepEqual(visits.splice(0), [{ host: gateway, port: 0 }]);
  t.diagnostic(`${reports.length} attempts succeed in a plain container`);

  const only = ['tcp-socket', 'udp-socket', 'tcp6-socket', 'netlink-socket', 'vsock-socket', 'io-uring', 'trace', 'user-namespace', 'clone-user-namespace', 'calls-of-32-bit', 'read-memory', 'clone3', 'system-calls'];
  const unfiltered = confined.without((body) => (body.HostConfig.SecurityOpt = ['no-new-privileges:true', 'seccomp=unconfined']));
  const without = await unfiltered.attempt(`${bot.name}-unfiltered`, { only });
  t.diagnostic(without.reports.map((report) => `${report.name} ${report.outcome} (${report.detail})`).join('; '));
  assert.deepEqual(without.reports.filter((report) => report.outcome === 'blocked'), [], 'it is the filter that holds these');
});

test('hostile files in every directory that an agent writes: nobody follows, and the profile comes back', async (t) => {
  const trap = path.join(bot.root, 'trap.sock');
  await listen({ path: trap });
  visits.length = 0;
  const real = await Confinement.of(bot.container('agent', 'personal'), image);
  const generation = Number((await inspect(bot.container('agent', 'personal'))).Config.Labels['io.bot-platform.generation']);
  const plant = async (kind, file, target) => {
    const { code, stderr } = await real.run(`${bot.name}-plant`, ['plant', kind, file, ...(target ? [target] : [])]);
    return code === 0 ? '' : stderr;
  };
  const names = [`${generation + 1}.sock`, `${generation + 2}.sock`, 'gate.sock', 'admin.sock', 'supervisor.sock', 'egress.sock'];
  for (const folder of ['/run/bot/http', '/run/bot/admin']) {
    for (const name of names) assert.equal(await plant('symlink', `${folder}/${name}`, trap), '');
    assert.equal(await plant('hardlink', `${folder}/linked`, `${folder}/gate.sock`), '');
    assert.equal(await plant('directory', `${folder}/${generation + 3}.sock`), '');
    assert.equal(await plant('file', `${folder}/file.sock`, 'x'), '');
    for (const kind of ['fifo', 'device']) assert.match(await plant(kind, `${folder}/${kind}`), /EPERM/);
  }
  // The sockets that are in use: links to somebody whom root, or the gate, could reach.
  const { turns } = await whileNeighbourChats(async () => {
    await plant('symlink', `/run/bot/admin/${generation}.sock`, trap);
    await plant('symlink', `/run/bot/http/${generation}.sock`, '/run/bot/admin/gate.sock');
    const answer = fetch(`${bot.url('personal')}/v1/models`, { headers: { authorization: `Bearer ${token.personal}` } });
    await seen();
    // Held at the door until the agent is back, or told that it is away; never led elsewhere.
    assert.ok([200, 502, 503].includes((await answer).status), `${(await answer).status}`);
    await bot.well(120);
  });
  t.diagnostic(`${turns} turns of the neighbour meanwhile`);
  assert.deepEqual(visits, [], 'the links led nobody into the trap');
  await well();
});

test('an endless and a silent answer in the place of the admin socket', async (t) => {
  for (const kind of ['silent', 'endless']) {
    const real = await Confinement.of(bot.container('agent', 'personal'), image);
    const generation = (await inspect(bot.container('agent', 'personal'))).Config.Labels['io.bot-platform.generation'];
    const supervisor = await bot.supervisorPid();
    const { turns } = await whileNeighbourChats(async () => {
      const id = await real.start(`${bot.name}-${kind}`, ['serve', kind, `/run/bot/admin/${generation}.sock`]);
      try {
        await until('it listens', async () => /listening/.test(await docker('logs', id)));
        await seen();
      } finally {
        await removeContainer(id);
      }
      await bot.well(120);
    });
    const status = await readFile(`/proc/${supervisor}/status`, 'utf8');
    t.diagnostic(`${kind}: ${turns} turns of the neighbour; supervisor ${status.match(/VmRSS:\s*(.*)/)[1]}`);
    assert.ok(Number(status.match(/VmRSS:\s*(\d+)/)[1]) < 200_000, 'the supervisor holds no endless answer');
    assert.equal(await bot.supervisorPid(), supervisor);
  }
  await well();
});

test('a lock whose descriptor is passed on is free when the container is gone', async () => {
  for (const socket of ['/run/bot/egress/egress.sock', '/run/bot/llm/llm.sock']) {
    const { code, stdout, stderr } = await confined.run(`${bot.name}-lock`, ['pass', '/state/current/agent.lock', socket]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /passed/);
    await until(`nobody behind ${socket} keeps the lock`, async () => (await run('flock', ['-n', path.join(copy, 'current/agent.lock'), 'true'], { mayFail: true })).code === 0, 20);
  }
});

test('the lease of the running agent is not the file: unlinked and made anew, there is still one agent, and the next takes over', async () => {
  const real = await Confinement.of(bot.container('agent', 'personal'), image);
  const passed = await real.run(`${bot.name}-lease`, ['pass', '/state/current/agent.lock', '/run/bot/egress/egress.sock']);
  assert.equal(passed.code, 0, passed.stderr);
  assert.ok(await turn('personal'));
  const before = await bot.ids();
  await bot.configure((text) => text.replace(/\[profile\.personal\]\n/, '[profile.personal]\nmemory = "300MiB"\n'));
  const agent = bot.container('agent', 'personal');
  await until('the next generation is made', async () => (await inspect(agent)).Id !== before[agent], 60);
  await well();
  const running = await docker('ps', '-q', '--filter', `volume=${bot.name}-personal-state`);
  assert.equal(running.split('\n').length, 1, 'one agent has the volume');
});

test('a flood of output is bounded on the disk', async () => {
  const id = await confined.start(`${bot.name}-flood`, ['flood', '48']);
  try {
    await docker('wait', id);
    const { LogPath } = await inspect(id);
    const sizes = await Promise.all([LogPath, `${LogPath}.1`, `${LogPath}.2`, `${LogPath}.3`].map((file) => stat(file).then((found) => found.size, () => 0)));
    const total = sizes.reduce((sum, size) => sum + size);
    assert.ok(total > 10_000_000, `it is the log that was measured: ${total}`);
    assert.ok(total < 33_000_000, `${total} bytes are kept`);
  } finally {
    await removeContainer(id);
    await rm(path.join(bot.root, 'trap.sock'), { force: true });
  }
  await well();
});
