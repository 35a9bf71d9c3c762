import { counted } from "../clock/words";
import type { PasteConcern } from "../terminal/paste";
import { ask } from "./dialogs";

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

function concernWords(concern: PasteConcern, text: string): string {
  const lines = text.replace(/\r$/, "").split("\r").length;
  if (concern === "lines") {
    return `It has ${counted(lines, "line")}, run by the shell as soon as it is pasted.`;
  }
  return `It has ${counted(Array.from(text).length, "character")} in ${counted(lines, "line")}.`;
}
