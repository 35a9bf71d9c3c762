/** How the remaining time is to be shown. */
export type Urgency = "calm" | "soon" | "last";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const SOON_MS = 5 * MINUTE;
const LAST_MS = MINUTE;

/** Announced once each when the remaining time falls through them, in minutes. */
const WARNINGS = [30, 15, 5, 1] as const;

/** Milliseconds left until `endsAt` (RFC 3339) at the server's time `now`; never negative. */
export function remainingMs(endsAt: string | null, now: number | null): number | null {
  if (endsAt === null || now === null) return null;
  return Math.max(0, Date.parse(endsAt) - now);
}

/**
 * Shows a remaining time as `01:27:43`. A begun second counts as a whole one, so that the last
 * figure before the end is 00:00:01 and zero means zero.
 */
export function formatCountdown(ms: number): string {
  const seconds = Math.ceil(ms / SECOND);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** Calm until five minutes, then soon; the last minute is its own. */
export function urgencyOf(ms: number): Urgency {
  if (ms <= LAST_MS) return "last";
  return ms <= SOON_MS ? "soon" : "calm";
}

/**
 * The warning to announce when the remaining time went from `before` to `after`, in minutes;
 * null for none. Joining late announces nothing, and falling through several (a computer that
 * slept) announces the last of them. After an extension a threshold can be crossed again.
 */
export function warningCrossed(before: number | null, after: number): number | null {
  if (before === null || after <= 0) return null;
  const crossed = WARNINGS.filter((minutes) => {
    const threshold = minutes * MINUTE;
    return before > threshold && after <= threshold;
  });
  return crossed.at(-1) ?? null;
}
