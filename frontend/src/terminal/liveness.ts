/** No byte for so long after a PING, and the connection is taken for dead. */
const DEAD_AFTER_MS = 15_000;
/** From this age of the last byte on, the page says so. */
const QUIET_AFTER_MS = 7_000;

/** Judges a connection by its bytes. All times are monotonic milliseconds. */
export class Liveness {
  #lastByte = 0;
  #pings = new Map<bigint, number>();
  #next = 1n;
  #roundTripMs: number | null = null;
  #legMicros: number | null = null;
  #began = false;

  /** A connection begins. */
  begin(now: number): void {
    this.#lastByte = now;
    this.#pings.clear();
    this.#roundTripMs = null;
    this.#legMicros = null;
    this.#began = true;
  }

  /** Any frame arrived: a server busy with a large paste is alive without answering pings. */
  heard(now: number): void {
    this.#lastByte = now;
  }

  /** The value of a PING sent now. */
  ping(now: number): bigint {
    const opaque = this.#next;
    this.#next += 1n;
    this.#pings.set(opaque, now);
    return opaque;
  }

  /**
   * A PONG came; values never sent are ignored. `legMicros` is the server's own figure for its
   * way to the shell, zero while it has none.
   */
  pong(opaque: bigint, legMicros: number, now: number): void {
    const sentAt = this.#pings.get(opaque);
    if (sentAt === undefined) return;
    this.#roundTripMs = now - sentAt;
    this.#legMicros = legMicros === 0 ? null : legMicros;
    for (const earlier of this.#pings.keys()) if (earlier <= opaque) this.#pings.delete(earlier);
  }

  /** The last measured round trip in milliseconds; null before the first. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** The server's way to the shell and back in milliseconds; null while it says nothing of it. */
  get legMs(): number | null {
    return this.#legMicros === null ? null : this.#legMicros / 1000;
  }

  /** Milliseconds since the last byte of any connection; null before the first. */
  ageMs(now: number): number | null {
    return this.#began ? now - this.#lastByte : null;
  }

  /** Milliseconds since the last byte, once a PING waits so long that it is worth saying; else null. */
  quietMs(now: number): number | null {
    return this.#waitedMs(now) >= QUIET_AFTER_MS ? now - this.#lastByte : null;
  }

  /** True when a PING has gone unanswered, with no other byte, for too long. */
  isDead(now: number): boolean {
    return this.#waitedMs(now) >= DEAD_AFTER_MS;
  }

  /** How long an answer is due without a byte: a page that was hidden has asked for none. */
  #waitedMs(now: number): number {
    const oldest = this.#pings.values().next().value;
    return oldest === undefined ? 0 : now - Math.max(oldest, this.#lastByte);
  }
}
