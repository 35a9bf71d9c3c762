import { ageWords } from "../clock/words";
import type { Connection } from "../terminal/connection";
import { Card } from "./card";

/** The stream is lost: what is safe, and when the next try comes. */
export function lostCard(): Card {
  return new Card({
    title: "Reconnecting",
    text: "Your shell is still running and nothing is lost. Typing is paused until it is back.",
  });
}

/**
 * The last line of the card: which try, when the next one comes, and how old the last byte is;
 * `ageMs` is null where none ever came.
 */
export function nextTryWords(
  connection: Connection,
  dueInMs: number,
  ageMs: number | null,
  onLine: boolean,
): string {
  const heard = ageMs === null ? "" : ` Last byte ${ageWords(ageMs)} ago.`;
  if (!onLine) return `This computer has no network. Trying again as soon as it has.${heard}`;
  const tried = connection.tries.attempt;
  const count = tried > 1 ? `Try ${tried}. ` : "";
  const seconds = connection.phase === "waiting" ? Math.ceil(dueInMs / 1000) : 0;
  const when = seconds <= 0 ? "Trying now." : `Trying again in ${seconds} s.`;
  return `${count}${when}${heard}`;
}
