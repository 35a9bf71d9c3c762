import type { Connection } from "../terminal/connection";
import { Card } from "./card";

/** The stream is lost: what is safe, and when the next try comes. */
export function lostCard(): Card {
  return new Card({
    title: "Reconnecting",
    text: "Your shell is still running and nothing is lost. Typing is paused until it is back.",
  });
}

/** The last line of the card: which try, and when the next one comes. */
export function nextTryWords(connection: Connection, dueInMs: number, onLine: boolean): string {
  if (!onLine) return "This computer has no network. Trying again as soon as it has.";
  const tried = connection.tries.attempt;
  const count = tried > 1 ? `Try ${tried}. ` : "";
  if (connection.phase !== "waiting") return `${count}Trying now.`;
  const seconds = Math.ceil(dueInMs / 1000);
  return seconds <= 0 ? `${count}Trying now.` : `${count}Trying again in ${seconds} s.`;
}
