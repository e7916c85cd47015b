/**
 * What stands in the field of the open session and was not sent yet.
 *
 * All tabs of a browser share the draft of a session. Only typing and sending change what is kept: showing a draft never writes it, because what
 * this tab reads may be older than what another one has just done with it.
 */
export class Draft {
  #outbox; #field; #session;
  /** The field's text was typed here, not read. */
  #own = false;

  /** `field` has a `value`. */
  constructor(outbox, field) {
    this.#outbox = outbox;
    this.#field = field;
  }

  /** Shows the draft of another session; nothing for one that is about to begin. */
  turnTo(session) {
    this.#session = session ?? 'new';
    this.#show(this.#outbox.draft(this.#session));
  }

  typed() {
    this.#own = this.#field.value !== '';
    this.#outbox.setDraft(this.#session, this.#field.value);
  }

  /** Sends the field with `send(text)`; what it takes is no draft any more. What another tab wrote meanwhile stays. */
  send(send) {
    const text = this.#field.value.trim();
    const session = this.#session;
    if (text === '' || !send(text)) return false;
    if (this.#outbox.draft(session).trim() === text) this.#outbox.setDraft(session, '');
    this.#show('');
    return true;
  }

  /** The draft of `session` became `now` without this field. It follows if it shows what there was before; what was typed here goes only when it was sent. */
  changed({ session, before, now }) {
    if (session === this.#session && this.#field.value === before && !(this.#own && now)) this.#show(now);
  }

  #show(text) {
    this.#own = false;
    this.#field.value = text;
  }
}
