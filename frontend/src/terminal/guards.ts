import type { Terminal } from "@xterm/xterm";

/**
 * Takes away what hostile output could do outside the grid. The stream itself is never edited,
 * because offsets and recordings count its bytes; the parser's hooks swallow sequences instead.
 * Window reports and manipulations are off in xterm.js unless asked for.
 */
export function guardAgainstOutput(terminal: Terminal): void {
  const swallow = (): boolean => true;
  // 0, 1, 2: window and icon titles, which could imitate the page's own.
  for (const code of [0, 1, 2]) terminal.parser.registerOscHandler(code, swallow);
  // 9, 99, 777: desktop notifications. 52: reading and writing the clipboard.
  for (const code of [9, 52, 99, 777]) terminal.parser.registerOscHandler(code, swallow);
}
