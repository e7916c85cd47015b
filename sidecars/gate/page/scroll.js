/**
 * Keeps a scrolling box where the person wants it: at the newest while he is there, else exactly where he reads.
 */
const NEAR_PX = 64; // about two lines: closer than that is "at the end"
const AHEAD_PX = 600; // older messages are asked for before the top is reached

export class Scroll {
  #box;
  #following = true;
  #at = 0; // where it was when last looked at

  /** `ontop` runs near the top, `onfollow(following)` when the person leaves or reaches the end. */
  constructor(box, { ontop = () => {}, onfollow = () => {} } = {}) {
    this.#box = box;
    this.ontop = ontop;
    this.onfollow = onfollow;
    box.addEventListener('scroll', () => this.moved(), { passive: true });
  }

  get following() {
    return this.#following;
  }

  /** Only going up leaves the end: text that grows below moves the end away, not the person. */
  moved() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const atEnd = scrollHeight - clientHeight - scrollTop <= NEAR_PX;
    if (atEnd || scrollTop < this.#at) this.#follow(atEnd);
    this.#at = scrollTop;
    if (scrollTop < AHEAD_PX) this.ontop();
  }

  /** Something grew, or the box changed its size. */
  settle() {
    if (this.#following) this.#to(this.#box.scrollHeight);
  }

  toEnd() {
    this.#follow(true);
    this.settle();
  }

  /** Runs `change`, which adds above what is seen, and keeps what is seen in its place. */
  keeping(change) {
    const fromEnd = this.#box.scrollHeight - this.#box.scrollTop;
    change();
    this.#to(this.#box.scrollHeight - (this.#following ? 0 : fromEnd));
  }

  #to(top) {
    this.#box.scrollTop = top;
    this.#at = this.#box.scrollTop; // as far as there is to scroll
  }

  #follow(following) {
    if (following === this.#following) return;
    this.#following = following;
    this.onfollow(following);
  }
}
