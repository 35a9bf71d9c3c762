/** So many of the last measurements count. */
const KEPT = 31;

/**
 * Measures what a candidate feels: from a key to the next drawing that shows output which came
 * after it. A drawing without output, such as a blink of the cursor, ends nothing. Times are
 * monotonic milliseconds.
 */
export class KeyToPaint {
  readonly #spans: number[] = [];
  #typedAt: number | null = null;
  #answered = false;

  /** A key was typed; only the first of several unanswered ones is measured. */
  typed(now: number): void {
    this.#typedAt ??= now;
  }

  /** Output has been interpreted. */
  parsed(): void {
    this.#answered = this.#typedAt !== null;
  }

  /** The grid was drawn; the time since the key, if this drawing answers one. */
  drawn(now: number): number | null {
    if (this.#typedAt === null || !this.#answered) return null;
    const span = now - this.#typedAt;
    this.forget();
    this.#spans.push(span);
    if (this.#spans.length > KEPT) this.#spans.shift();
    return span;
  }

  /** The connection broke: what was under way measures nothing. */
  forget(): void {
    this.#typedAt = null;
    this.#answered = false;
  }

  /** The median of the last keys in milliseconds; null before the first. */
  get medianMs(): number | null {
    const sorted = [...this.#spans].sort((one, other) => one - other);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }
}
