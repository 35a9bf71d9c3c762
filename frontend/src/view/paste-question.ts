import type { PasteConcern } from "../terminal/paste";
import { ask } from "./dialogs";
import { plural } from "./words";

/** So much of a paste is shown in the question. */
const SAMPLE_LENGTH = 600;

/** Asks whether a paste is meant; not pasting is the safe answer. */
export function confirmPaste(concern: PasteConcern, text: string): Promise<boolean> {
  const sample = text.slice(0, SAMPLE_LENGTH).replaceAll("\r", "\n");
  return ask({
    title: "Paste this?",
    text: concernWords(concern, text),
    yes: "Paste",
    no: "Do not paste",
    sample: text.length > SAMPLE_LENGTH ? `${sample}…` : sample,
  });
}

/** Why it is asked. `text` has Return for each newline. */
export function concernWords(concern: PasteConcern, text: string): string {
  const lines = text.replace(/\r$/, "").split("\r").length;
  if (concern === "lines") {
    return `It has ${plural(lines, "line")}, run by the shell as soon as it is pasted.`;
  }
  return `It has ${plural(Array.from(text).length, "character")} in ${plural(lines, "line")}.`;
}
