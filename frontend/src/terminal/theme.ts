import type { ITheme } from "@xterm/xterm";

const ANSI = [
  "black",
  "red",
  "green",
  "yellow",
  "blue",
  "magenta",
  "cyan",
  "white",
  "brightBlack",
  "brightRed",
  "brightGreen",
  "brightYellow",
  "brightBlue",
  "brightMagenta",
  "brightCyan",
  "brightWhite",
] as const;

/** One of the page's tokens as it now holds. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Reads the grid's colours from the page's tokens, so that both have one source. */
export function themeFromTokens(): ITheme {
  const theme: ITheme = {
    background: token("grid"),
    foreground: token("grid-ink"),
    cursor: token("grid-cursor"),
    cursorAccent: token("grid"),
    selectionBackground: token("grid-selection"),
  };
  for (const name of ANSI) {
    theme[name] = token(`ansi-${name.replace("bright", "bright-").toLowerCase()}`);
  }
  return theme;
}

/** The least contrast the grid keeps between text and its background. */
export function gridContrast(): number {
  return document.documentElement.dataset["theme"] === "contrast" ? 7 : 4.5;
}
