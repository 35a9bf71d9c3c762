/** First window of a retry: short enough that a blink of the network goes unnoticed. */
export const BACKOFF_BASE_MS = 250;
/** Longest window: a candidate whose network returns waits at most this long. */
export const BACKOFF_CAP_MS = 10_000;

/**
 * Full-jitter back-off: a uniform draw from a window that doubles with each attempt. Spreading
 * over the whole window keeps a room of candidates from returning in the same instant.
 * `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const window = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16));
  return Math.round(window * random);
}
