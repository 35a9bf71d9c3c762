import type { Terminal } from "@xterm/xterm";

/**
 * 0, 1, 2: window and icon titles, which could imitate the page's own. 7: the working directory.
 * 9, 99, 777: desktop notifications. 50: fonts. 52, 5522: the clipboard. 133, 633: marks of the
 * shell. 1337: files and much else.
 */
const SWALLOWED = [0, 1, 2, 7, 9, 50, 52, 99, 133, 633, 777, 1337, 5522];

/** The longest address that is shown whole. */
const SHOWN_ADDRESS = 200;

/**
 * Takes away what hostile output could do outside the grid. The stream itself is never edited,
 * because offsets and recordings count its bytes; the parser's hooks swallow sequences instead.
 * Window reports and manipulations are off in xterm.js unless asked for.
 */
export function guardAgainstOutput(terminal: Terminal): void {
  for (const code of SWALLOWED) terminal.parser.registerOscHandler(code, () => true);
}

/** A link's address as it is safe to show: what could reorder or hide letters is spelt out. */
export function shownAddress(address: string): string {
  const plain = Array.from(address).map((letter) => {
    const code = letter.codePointAt(0) ?? 0;
    const shown = /[\p{L}\p{N}\p{P}\p{S}]/u.test(letter) && code !== 0xfffd;
    return shown ? letter : `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
  if (plain.length <= SHOWN_ADDRESS) return plain.join("");
  return `${plain.slice(0, SHOWN_ADDRESS).join("")}…`;
}
