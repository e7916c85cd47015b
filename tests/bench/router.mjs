// spark in front of a model box that costs nothing, beside nginx as the floor for one hop, and LiteLLM.
//
// All on loopback and without containers, so that only the programs differ. spark is asked on its Unix socket, the others
// over TCP; connections are kept on both sides of each.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

import { repository, run } from '../end-to-end/lib/shell.mjs';
import { percentile, table } from './lib/figures.mjs';

const PORTS = { quick: 9100, paced: 9101, slow: 9102, nginxQuick: 9110, nginxPaced: 9111, nginxSlow: 9112, litellm: 9120 };
const MODELS = { quick: 'bench/model', paced: 'bench/paced', slow: 'bench/slow' };
/** What the slow box takes before its first byte. */
const SLOW_MILLIS = 3000;
const LITELLM = '1.106.2';
const STARTS = 20;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);

export async function measureRouter() {
  const rig = new Rig();
  try {
    await rig.start();
    await rig.plain();
    await rig.paced();
    await rig.cancel();
    await rig.starts();
  } finally {
    await rig.stop();
  }
}

class Rig {
  folder = mkdtempSync(path.join(tmpdir(), 'bench-router-'));
  children = [];
  sparks = {};

  async start() {
    const host = (await run('rustc', ['-vV'])).stdout.match(/^host: (.*)$/m)[1];
    await run('cargo', ['build', '--locked', '--profile', 'dist', '--target', host, '-p', 'load'], { cwd: repository });
    const target = process.env.CARGO_TARGET_DIR ?? path.join(repository, 'target');
    this.binaries = path.join(target, host, 'dist');
    this.load = path.join(this.binaries, 'load');
    this.box('quick', []);
    this.box('paced', ['--think', '20', '--pace', '10']);
    this.box('slow', ['--think', String(SLOW_MILLIS)]);
    for (const box of Object.keys(MODELS)) await answers({ port: PORTS[box], path: '/health' });
    for (const box of Object.keys(MODELS)) this.sparks[box] = await this.spark(box);
    await this.nginx();
    await this.litellm();
  }

  child(command, args, options = {}) {
    const child = spawn(command, args, { stdio: 'ignore', ...options });
    child.ended = new Promise((resolve) => child.on('close', resolve));
    this.children.push(child);
    return child;
  }

  box(name, args) {
    this.child(this.load, ['box', '--listen', `127.0.0.1:${PORTS[name]}`, '--model', MODELS[name], ...args]);
  }

  /** spark in a root of its own, which holds nothing but it. */
  async spark(box, name = box) {
    const root = path.join(this.folder, `spark-${name}`);
    for (const folder of ['run/bot/admin', 'run/bot/spark/bench', 'run/secrets', 'state', 'etc']) {
      mkdirSync(path.join(root, folder), { recursive: true });
    }
    copyFileSync(path.join(this.binaries, 'bot-spark'), path.join(root, 'bot-spark'));
    const begun = performance.now();
    const child = this.child('chroot', [root, '/bot-spark']);
    const admin = path.join(root, 'run/bot/admin/spark.sock');
    const config = {
      revision: 1,
      backend: { kind: 'box', url: `http://127.0.0.1:${PORTS[box]}/v1`, model: MODELS[box], key: null },
      profiles: ['bench'],
      limits: { concurrency: 64 },
    };
    await answers({ socketPath: admin, path: '/healthz' });
    await request({ socketPath: admin, path: '/config', method: 'PUT' }, JSON.stringify(config));
    const socket = path.join(root, 'run/bot/spark/bench/llm.sock');
    await answers({ socketPath: socket, path: '/v1/models' });
    return { pid: child.pid, socket, child, took: performance.now() - begun };
  }

  async nginx() {
    const pairs = [['nginxQuick', 'quick'], ['nginxPaced', 'paced'], ['nginxSlow', 'slow']];
    const servers = pairs.map(([front, back]) => `
      upstream ${back} { server 127.0.0.1:${PORTS[back]}; keepalive 128; }
      server { listen 127.0.0.1:${PORTS[front]}; keepalive_requests 1000000; location / {
        proxy_pass http://${back}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } }`);
    const file = path.join(this.folder, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${this.folder}/${name};`);
    writeFileSync(file, `daemon off; master_process off; pid ${this.folder}/nginx.pid; error_log stderr warn;
      events { worker_connections 1024; }
      http { access_log off; client_max_body_size 4m; client_body_buffer_size 1m; ${temporary.join(' ')} ${servers.join('')} }`);
    this.nginxPid = this.child('nginx', ['-c', file, '-e', 'stderr']).pid;
    await answers({ port: PORTS.nginxQuick, path: '/health' });
  }

  /** Python packages of half a gigabyte: made once, kept in the cache of this machine. `BENCH_LITELLM=no` leaves it out. */
  async litellm() {
    if (process.env.BENCH_LITELLM === 'no') return;
    const home = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'bot-platform-tests/litellm');
    if (!existsSync(path.join(home, 'bin/litellm'))) {
      await run('python3', ['-m', 'venv', home]);
      await run(path.join(home, 'bin/pip'), ['install', '--quiet', `litellm[proxy]==${LITELLM}`]);
    }
    const models = Object.keys(MODELS).map((box) => `
  - model_name: ${MODELS[box]}
    litellm_params: { model: openai/${MODELS[box]}, api_base: "http://127.0.0.1:${PORTS[box]}/v1", api_key: none }`);
    const file = path.join(this.folder, 'litellm.yaml');
    writeFileSync(file, `model_list:${models.join('')}
litellm_settings: { num_retries: 0, request_timeout: 60, telemetry: false, drop_params: false }
router_settings: { num_retries: 0 }
general_settings: { disable_spend_logs: true }
`);
    const begun = performance.now();
    const env = { ...process.env, LITELLM_MASTER_KEY: 'sk-bench', LITELLM_LOG: 'ERROR', LITELLM_LOCAL_MODEL_COST_MAP: 'True', LITELLM_MODE: 'PRODUCTION' };
    const args = ['--config', file, '--host', '127.0.0.1', '--port', String(PORTS.litellm), '--num_workers', '1'];
    this.litellmPid = this.child(path.join(home, 'bin/litellm'), args, { env }).pid;
    await answers({ port: PORTS.litellm, path: '/health/liveliness' }, 180_000);
    this.litellmStart = performance.now() - begun;
    this.litellmIdle = resident(this.litellmPid);
  }

  targets(box, front) {
    const all = [`direct=127.0.0.1:${PORTS[box]}`, `nginx=127.0.0.1:${PORTS[front]}@${this.nginxPid}`];
    all.push(`spark=unix:${this.sparks[box].socket}@${this.sparks[box].pid}`);
    if (this.litellmPid) all.push(`litellm=127.0.0.1:${PORTS.litellm}@${this.litellmPid}`);
    return [...all.flatMap((target) => ['--target', target]), '--model', MODELS[box], '--key', 'sk-bench'];
  }

  async measure(...args) {
    return JSON.parse((await run(this.load, args)).stdout);
  }

  async plain() {
    const rows = await this.measure('turns', ...this.targets('quick', 'nginxQuick'), '--rounds', String(ROUNDS));
    show('Router, answers of 50 words as fast as the box writes, milliseconds (added: beyond direct)', rows);
  }

  async paced() {
    const options = ['--modes', 'stream', '--at-once', '1,16', '--rounds', String(ROUNDS)];
    const rows = await this.measure('turns', ...this.targets('paced', 'nginxPaced'), ...options);
    show('Router, first word after 20 ms and 50 words 10 ms apart, milliseconds', rows);
  }

  async cancel() {
    const rows = [];
    for (const [what, box, front, options] of [
      ['mid-stream', 'paced', 'nginxPaced', ['--events', '3']],
      ['before the first byte', 'slow', 'nginxSlow', ['--events', '0', '--times', '5']],
      ['before the first byte, plain', 'slow', 'nginxSlow', ['--events', '0', '--times', '5', '--plain']],
    ]) {
      const found = await this.measure('cancel', ...this.targets(box, front), '--box', `127.0.0.1:${PORTS[box]}`, ...options);
      for (const row of found) rows.push([what, row.target, `${row.seen} of ${row.seen + row.never}`, number(row.millis?.p50), number(row.millis?.p99)]);
    }
    table('Router, a client leaves: seen by the box, milliseconds', ['when', 'router', 'seen', 'p50', 'p99'], rows);
  }

  /** Process start until it answers with the list of models, and memory before any load. */
  async starts() {
    const took = [];
    let idle = 0;
    for (let index = 0; index < STARTS; index += 1) {
      const spark = await this.spark('quick', `start-${index}`);
      took.push(spark.took);
      idle = resident(spark.pid);
      spark.child.kill('SIGKILL');
      await spark.child.ended;
    }
    const rows = [['spark', percentile(took, 0.5).toFixed(0), idle.toFixed(1)]];
    rows.push(['nginx', '', resident(this.nginxPid).toFixed(1)]);
    if (this.litellmPid) rows.push(['litellm', this.litellmStart.toFixed(0), this.litellmIdle.toFixed(1)]);
    table('Router, start until it answers (ms), resident without load (MB; nginx: after it)', ['router', 'start', 'memory'], rows);
  }

  async stop() {
    for (const child of this.children) child.kill('SIGKILL');
    await Promise.all(this.children.map((child) => child.ended));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function show(title, rows) {
  const direct = new Map(rows.filter((row) => row.target === 'direct').map((row) => [`${row.mode} ${row.at_once}`, row]));
  const head = ['mode', 'at once', 'router', 'answers/s', 'first p50', 'total p50', 'total p99', 'added p50', 'first added', 'added p99', 'CPU us', 'MB', 'errors', 'broken'];
  table(title, head, rows.map((row) => {
    const base = direct.get(`${row.mode} ${row.at_once}`);
    const added = (field, share) => number(row[field]?.[share] - base[field]?.[share]);
    return [
      row.mode, row.at_once, row.target, row.answers_per_second.toFixed(0),
      number(row.first_millis?.p50), number(row.total_millis?.p50), number(row.total_millis?.p99),
      added('total_millis', 'p50'), added('first_millis', 'p50'), added('total_millis', 'p99'),
      row.cpu_micros_per_answer?.toFixed(0) ?? '', row.resident_mib?.toFixed(1) ?? '', row.errors, row.broken,
    ];
  }));
  for (const row of rows) for (const [kind, count] of Object.entries(row.error_kinds)) console.log(`  ${row.target}: ${count} times ${kind}`);
}

const number = (value) => (Number.isFinite(value) ? value.toFixed(2) : '');

const resident = (pid) => Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1]) / 1024;

function request(options, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ headers: { 'content-type': 'application/json' }, ...options }, (response) => {
      let said = '';
      response.on('data', (piece) => { said += piece; });
      response.on('end', () => (response.statusCode < 300 ? resolve(said) : reject(new Error(`${response.statusCode} ${said}`))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Asks again and again until it answers. */
async function answers(options, patience = 10_000) {
  const end = performance.now() + patience;
  for (;;) {
    try {
      return await request(options);
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
