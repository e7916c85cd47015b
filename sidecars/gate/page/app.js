/** The page: takes a setup code out of the address, finds out who this browser is, and shows the chat or the pairing screen. */
import { Chat } from './chat.js';
import { Device, missing } from './device.js';
import { h } from './dom.js';
import { Pairing, isSetupCode } from './pairing.js';
import { Socket } from './socket.js';
import { choose, learn } from './words.js';
import './elements/chat-shell.js';
import './elements/pair-screen.js';

const SETUP = /^#setup=(.*)$/;
const SESSION = /^#\/([0-9a-f]{32})$/;

const page = document.getElementById('page');
let code;
let notice; // of a link that is not whole
let chat = null;

/** The code leaves the address, and with it the history, before anything else happens. Whether the address was a setup link. */
function takeCode() {
  const text = SETUP.exec(location.hash)?.[1];
  if (text === undefined) return false;
  history.replaceState(null, '', location.pathname);
  code = isSetupCode(text) ? text : undefined;
  notice = code ? undefined : 'pair.error.broken';
  return true;
}

async function begin() {
  const problem = await missing();
  const device = problem ? undefined : await Device.load();
  if (device) connect(device);
  else pair({ problem, notice });
}

function pair(props) {
  chat = null;
  page.replaceChildren(h('pair-screen', { pairing: new Pairing(), setup: { code, ...props }, onpaired: (event) => paired(event.detail) }));
}

function paired(device) {
  code = undefined;
  notice = undefined;
  localStorage.setItem('paired', 'yes');
  connect(device);
}

function connect(device) {
  const socket = new Socket({
    url: `${location.protocol.replace('http', 'ws')}//${location.host}/ws`,
    sign: async (challenge) => ({ device: device.id, signature: await device.sign('connect', challenge) }),
  });
  const mine = new Chat({ socket, storage: localStorage, session: SESSION.exec(location.hash)?.[1] });
  chat = mine;
  mine.addEventListener('session', () => {
    const hash = mine.session === null ? '#/' : `#/${mine.session}`;
    if (location.hash !== hash) history.pushState(null, '', hash);
  });
  mine.addEventListener('connection', async () => {
    if (mine.connection.state === 'online') await device.keep();
    if (mine.connection.state !== 'refused' || chat !== mine) return;
    const other = await Device.successor(device.id);
    if (chat !== mine) return;
    if (other) return connect(other);
    const revoked = localStorage.getItem('paired') && !code;
    localStorage.removeItem('paired');
    pair({ notice: revoked ? 'pair.revoked' : notice });
  });
  page.replaceChildren(h('chat-shell', { chat: mine }));
  socket.start();
}

function wake() {
  if (document.visibilityState === 'visible') chat?.wake();
}

for (const change of ['online', 'offline', 'pageshow']) addEventListener(change, wake);
document.addEventListener('visibilitychange', wake);
addEventListener('storage', (event) => chat?.stored(event));
addEventListener('hashchange', () => {
  if (!takeCode()) return chat?.welcomed && chat.open(SESSION.exec(location.hash)?.[1] ?? null);
  if (!chat) pair({ notice });
});
visualViewport?.addEventListener('resize', () => {
  // Phones that lay their keyboard over the page: the shell ends above it.
  const covered = Math.max(0, innerHeight - visualViewport.height * visualViewport.scale);
  document.documentElement.style.setProperty('--keyboard', `${Math.round(covered)}px`);
  if (covered > 0) scrollTo(0, 0);
});

takeCode();
const language = choose([localStorage.getItem('language'), ...navigator.languages]);
document.documentElement.lang = language;
learn(language).then(begin);
