import { problemOf, Unreachable } from "../api/problem";
import { boundedText } from "./bounded";

/** How long a recording of hours may take on a slow network. */
const FETCH_TIMEOUT_MS = 120_000;

/** Exchanges the link's token for the login cookie. */
export async function login(token: string): Promise<void> {
  await send("/v1/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
}

/** Where a session's recording is found in a format. */
export function recordingPath(sessionId: string, format: string): string {
  return `/v1/sessions/${sessionId}/recording/${format}`;
}

/**
 * Fetches what a session's terminal showed, as asciicast v3. Throws `TooLong` for more than a page
 * can hold.
 */
export async function recordingOf(sessionId: string): Promise<string> {
  const answer = await send(recordingPath(sessionId, "asciicast-v3"), { cache: "no-store" });
  return boundedText(answer);
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
    answer = await fetch(url, { credentials: "same-origin", signal, ...init });
  } catch (cause) {
    throw new Unreachable("no answer", { cause });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}
