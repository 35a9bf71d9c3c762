import type { ITerminalOptions, Terminal } from "@xterm/xterm";
import { GRID_FONT } from "./fonts";
import { shownAddress } from "./guards";
import type { PasteListener } from "./pasting";
import type { ShortcutListener } from "./shortcuts";
import { gridContrast, themeFromTokens } from "./theme";
import type { TypingListener } from "./typing";

/** The candidate's choices that concern the grid. */
export interface ViewOptions {
  readonly fontSize: number;
  readonly screenReader: boolean;
  readonly reducedMotion: boolean;
}

/** What the grid tells its page. */
export interface ViewListener extends ShortcutListener, TypingListener, PasteListener {
  resized(cols: number, rows: number): void;
  focused(focused: boolean): void;
  /** A program rang; a flood of rings is told as one. */
  rang(): void;
  /** A link in the output was activated; it is shown, never followed. */
  link(address: string): void;
}

/** How the grid is made. */
export function terminalOptions(options: ViewOptions, listener: ViewListener): ITerminalOptions {
  return {
    allowProposedApi: true,
    cursorBlink: !options.reducedMotion,
    disableStdin: true,
    fontFamily: GRID_FONT,
    fontSize: options.fontSize,
    lineHeight: 1.2,
    linkHandler: { activate: (_event, address) => listener.link(shownAddress(address)) },
    minimumContrastRatio: gridContrast(),
    rightClickSelectsWord: false,
    screenReaderMode: options.screenReader,
    scrollback: 5_000,
    smoothScrollDuration: 0,
    theme: themeFromTokens(),
  };
}

/** Takes changed choices, and the tokens of the theme now in force. */
export function adoptOptions(terminal: Terminal, choices: ViewOptions): void {
  const { options } = terminal;
  options.theme = themeFromTokens();
  options.minimumContrastRatio = gridContrast();
  options.screenReaderMode = choices.screenReader;
  options.cursorBlink = !choices.reducedMotion;
  if (options.fontSize !== choices.fontSize) options.fontSize = choices.fontSize;
}
