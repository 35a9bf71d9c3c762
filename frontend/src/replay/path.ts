const REPLAY_PATH =
  /^\/replay\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\/?$/i;

/** Reads the id of the recorded session from the page's path; null for anything else. */
export function recordedSessionOf(path: string): string | null {
  return REPLAY_PATH.exec(path)?.[1]?.toLowerCase() ?? null;
}
