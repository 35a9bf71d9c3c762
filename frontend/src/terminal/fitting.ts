import { FitAddon } from "@xterm/addon-fit";
import type { Terminal } from "@xterm/xterm";
import { MAX_COLUMNS, MAX_ROWS, MIN_COLUMNS } from "./limits";

/** Resizes settle before they are sent: dragging a window sends one, not fifty. */
const SETTLE_MS = 80;

/** Keeps the grid as large as its place. The terminal's own event tells of a changed size only. */
export class Fitting {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #observer = new ResizeObserver(() => this.soon());
  #settling: number | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.loadAddon(this.#fit);
  }

  /** Fits now, and from now on whenever `host` changes its size. */
  follow(host: HTMLElement): void {
    this.#now();
    this.#observer.observe(host);
  }

  /** Fits when no more changes come. */
  soon(): void {
    window.clearTimeout(this.#settling);
    this.#settling = window.setTimeout(() => this.#now(), SETTLE_MS);
  }

  dispose(): void {
    window.clearTimeout(this.#settling);
    this.#observer.disconnect();
  }

  #now(): void {
    const proposed = this.#fit.proposeDimensions();
    if (proposed === undefined || Number.isNaN(proposed.cols) || Number.isNaN(proposed.rows))
      return;
    const cols = Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, proposed.cols));
    const rows = Math.min(MAX_ROWS, Math.max(1, proposed.rows));
    if (cols !== this.#terminal.cols || rows !== this.#terminal.rows)
      this.#terminal.resize(cols, rows);
  }
}
