/**
 * What a running turn waits for, in words: for the eye with the seconds, for the ear only when something has changed.
 *
 * Times are told as spans, since the agent's clock is not this one: each is counted on from when it arrived.
 */
import { t } from './words.js';

const PATIENCE_S = 5; // from then on the waiting is counted
const SPOKEN_AFTER_S = 3; // what is over sooner is not said
const SPOKEN_APART_S = 10;
const AHEAD_S = 10; // an estimate below this is no news
const AT_BOX = ['queued', 'waiting', 'switching'];

export class Wait {
  #key = '';
  #changed = 0;
  #spoken = { key: '', at: -Infinity };
  #progress;

  constructor(now) {
    this.began = now;
    this.since = now;
  }

  /** Takes the turn as it is now. */
  take({ phase, progress, tools }, now) {
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.heard = now;
      this.since = progress ? now - progress.waited_millis : this.began;
    }
    const asks = tools.some(({ state }) => state === 'asking' || state === 'confirming');
    const atBox = AT_BOX.find((known) => known === progress?.phase) ?? 'box';
    this.word = { waiting: atBox, tools: asks ? 'asking' : 'tools' }[phase];
    const key = `${this.word} ${progress?.position}`;
    if (key !== this.#key) this.#changed = now;
    this.#key = key;
  }

  /** Without the seconds; empty while there is nothing to wait for. */
  words() {
    return this.word ? t(`turn.${this.word}`, { position: this.#progress?.position }) : '';
  }

  /** With the seconds, and what is still ahead where somebody knows. */
  text(now) {
    if (!this.word) return '';
    const seconds = Math.floor((now - this.since) / 1_000);
    const parts = [this.words()];
    if (seconds >= PATIENCE_S) parts.push(t('turn.seconds', { seconds }));
    const ahead = Math.round(((this.#progress?.ahead_millis ?? 0) - (now - this.heard)) / 1_000);
    if (ahead >= AHEAD_S) parts.push(ahead < 90 ? t('turn.ahead.seconds', { seconds: ahead }) : t('turn.ahead.minutes', { minutes: Math.round(ahead / 60) }));
    return parts.join(' ');
  }

  /** What is to be said aloud now: a wait at the model box that lasts, once, and not one after the other. */
  spoken(now) {
    const { key, at } = this.#spoken;
    if (!this.#progress || this.#key === key || now - this.#changed < SPOKEN_AFTER_S * 1_000 || now - at < SPOKEN_APART_S * 1_000) return '';
    this.#spoken = { key: this.#key, at: now };
    return this.words();
  }
}
