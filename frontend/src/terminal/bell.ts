/** A program may ring as often as it likes; the candidate is told once in this span. */
const REST_MS = 2_000;

/** Lets through one ring of many. Times are monotonic milliseconds. */
export class BellLimit {
  #toldAt = Number.NEGATIVE_INFINITY;

  /** Whether a ring at `now` is to be told. */
  tells(now: number): boolean {
    if (now - this.#toldAt < REST_MS) return false;
    this.#toldAt = now;
    return true;
  }
}
