/** The page's fixed texts: one file a language, chosen by the browser unless the person chose. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' };

/** The first of the wanted languages that there is. */
export function choose(wanted) {
  return wanted.map((tag) => String(tag).slice(0, 2).toLowerCase()).find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? 'en';
}

let locale = 'en';
let words = {};

/** `region` is the browser's own shade of the language: dates and times follow it. */
export function speak(tag, texts, region = tag) {
  locale = region;
  words = texts;
}

/** Fetches the texts of a language and speaks it. */
export async function learn(tag) {
  const response = await fetch(new URL(`./words/${tag}.json`, import.meta.url));
  speak(tag, await response.json(), navigator.languages.find((known) => known.startsWith(tag)));
}

/** The text of a key, with its `{gaps}` filled. */
export function t(key, gaps = {}) {
  return (words[key] ?? key).replaceAll(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? '');
}

const format = (options) => (at) => new Intl.DateTimeFormat(locale, options).format(at);
export const clock = format({ hour: '2-digit', minute: '2-digit' });
export const second = format({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
export const moment = format({ dateStyle: 'full', timeStyle: 'short' });

/** The day of a moment in words: today, yesterday, or its date. */
export function day(at, now = Date.now()) {
  const days = Math.round((startOfDay(at) - startOfDay(now)) / 86_400_000);
  if (days === 0 || days === -1) {
    const word = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day');
    return word[0].toUpperCase() + word.slice(1);
  }
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? undefined : 'numeric';
  return format({ weekday: 'long', day: 'numeric', month: 'long', year })(at);
}

/** When something was last touched, short: the time today, else the date. */
export function lately(at, now = Date.now()) {
  return startOfDay(at) === startOfDay(now) ? clock(at) : format({ day: 'numeric', month: 'short' })(at);
}

function startOfDay(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}
