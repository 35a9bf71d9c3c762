/** One reading of the server's clock; `sentAt` and `receivedAt` are monotonic milliseconds. */
export interface ClockReading {
  readonly serverTime: number;
  readonly sentAt: number;
  readonly receivedAt: number;
}

interface Estimate {
  readonly offset: number;
  readonly error: number;
  readonly at: number;
}

/** How fast a computer's clock may run away: 200 ppm, twice what quartz is rated for. */
const DRIFT = 200e-6;

/**
 * Estimates the server's time from readings over the network.
 *
 * A reading is taken to lie in the middle of its round trip, so it is wrong by at most half of
 * it. The best reading is kept while it stays better than a newer one: its error grows with the
 * drift of this computer's clock. A reading that contradicts the estimate beyond both errors
 * replaces it at once, because then the server's clock was set or this computer slept.
 */
export class ServerClock {
  #estimate: Estimate | null = null;

  observe(reading: ClockReading): void {
    const roundTrip = Math.max(0, reading.receivedAt - reading.sentAt);
    const next: Estimate = {
      offset: reading.serverTime - (reading.sentAt + roundTrip / 2),
      error: roundTrip / 2,
      at: reading.receivedAt,
    };
    const held = this.#estimate;
    if (held === null || this.#isBetter(next, held)) this.#estimate = next;
  }

  /** The server's time in epoch milliseconds at `monotonic`; null before the first reading. */
  at(monotonic: number): number | null {
    return this.#estimate === null ? null : monotonic + this.#estimate.offset;
  }

  /** The most by which `at` may be wrong at `monotonic`, in milliseconds. */
  errorAt(monotonic: number): number {
    return this.#estimate === null ? Number.POSITIVE_INFINITY : grown(this.#estimate, monotonic);
  }

  #isBetter(next: Estimate, held: Estimate): boolean {
    const heldError = grown(held, next.at);
    const contradicts = Math.abs(next.offset - held.offset) > next.error + heldError;
    return contradicts || next.error <= heldError;
  }
}

function grown(estimate: Estimate, monotonic: number): number {
  return estimate.error + Math.max(0, monotonic - estimate.at) * DRIFT;
}

/**
 * Tells a computer that slept (or whose wall clock was set) from one that did not: the
 * monotonic clock stands still in sleep on some systems, the wall clock does not.
 */
export class SleepWatch {
  readonly #toleranceMs: number;
  #difference: number | null = null;

  constructor(toleranceMs = 1500) {
    this.#toleranceMs = toleranceMs;
  }

  /** True when the clocks parted by more than the tolerance since the last look. */
  parted(monotonic: number, wall: number): boolean {
    const difference = wall - monotonic;
    const before = this.#difference;
    this.#difference = difference;
    return before !== null && Math.abs(difference - before) > this.#toleranceMs;
  }
}
