/** A paste of more bytes than this is confirmed first. */
const LARGE_PASTE = 4 * 1024;

/** Bracketed paste: what a program asked to be put around pasted text. */
const BRACKET_BEGIN = "\u001b[200~";
const BRACKET_END = "\u001b[201~";

/** Why a paste is to be confirmed first. */
export type PasteConcern = "lines" | "large";

/**
 * Makes pasted text harmless: newlines become the Return key, and every control character but
 * tab goes, above all ESC and its C1 form, with which a text could end a bracketed paste early
 * and type commands (GHSA-h62m-39wp-xq3w). Bidirectional overrides go too: they let a command
 * read as something else.
 */
export function sanitisePaste(text: string): string {
  const letters = text.replace(/\r\n?|\n/g, "\r");
  return Array.from(letters).filter(isHarmless).join("");
}

function isHarmless(letter: string): boolean {
  const code = letter.codePointAt(0) ?? 0;
  if (letter === "\t" || letter === "\r") return true;
  const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  const isOverride = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return !isControl && !isOverride;
}

/** Puts brackets around a sanitised paste if the program asked for them. */
export function bracketPaste(sanitised: string, bracketed: boolean): string {
  return bracketed ? BRACKET_BEGIN + sanitised + BRACKET_END : sanitised;
}

/** Why a sanitised paste is to be confirmed first; null for no reason. */
export function pasteConcern(sanitised: string, bracketed: boolean): PasteConcern | null {
  // Without brackets the shell runs each line as soon as it comes.
  if (!bracketed && sanitised.includes("\r")) return "lines";
  return new TextEncoder().encode(sanitised).length > LARGE_PASTE ? "large" : null;
}
