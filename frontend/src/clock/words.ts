const SECOND = 1000;

/** A number of things as a person would say it: "1 line", "2,400 lines". */
export function counted(amount: number, unit: string): string {
  return `${amount.toLocaleString("en")} ${unit}${amount === 1 ? "" : "s"}`;
}

/** Says a duration as a person would: "1 hour 30 minutes", "45 seconds". Rounds to seconds. */
export function durationWords(ms: number): string {
  const total = Math.max(0, Math.round(ms / SECOND));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor(total / 60) % 60;
  const seconds = total % 60;
  const parts: string[] = [];
  if (hours > 0) parts.push(counted(hours, "hour"));
  if (minutes > 0) parts.push(counted(minutes, "minute"));
  if (seconds > 0 && hours === 0 && minutes < 10) parts.push(counted(seconds, "second"));
  return parts.length === 0 ? counted(0, "second") : parts.join(" ");
}

/** Says a short span as measured: "0.7 s" below ten seconds, "42 s", then "1 min 05 s". */
export function elapsedWords(ms: number): string {
  const seconds = Math.max(0, ms) / SECOND;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const rest = String(Math.floor(seconds) % 60).padStart(2, "0");
  return `${Math.floor(seconds / 60)} min ${rest} s`;
}

/** Says a span in whole seconds, for a figure that goes on counting: "4 s", "1 min 05 s". */
export function ageWords(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / SECOND);
  return seconds < 10 ? `${seconds} s` : elapsedWords(seconds * SECOND);
}

/** The time of day of an RFC 3339 instant on the candidate's own clock face: `14:30:00`. */
export function timeOfDay(instant: string): string {
  return new Date(instant).toLocaleTimeString("en-GB", { hour12: false });
}
