import "@xterm/xterm/css/xterm.css";
import "../styles/fonts.css";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { Terminal } from "@xterm/xterm";
import { BellLimit } from "./bell";
import { Fitting } from "./fitting";
import { fontsReady } from "./fonts";
import { guardAgainstOutput } from "./guards";
import { KeyToPaint } from "./latency";
import { Pasting } from "./pasting";
import { adoptOptions, terminalOptions, type ViewListener, type ViewOptions } from "./options";
import { accelerate, styleSpansWithinPolicy } from "./renderer";
import type { Screen } from "./screen";
import { Search } from "./search";
import { takeShortcuts } from "./shortcuts";
import { type TouchKey, Typing } from "./typing";

const PAINT_MEASURE = "key-to-paint";

/** The grid: xterm.js with everything the output or a paste could abuse taken away. */
export class TerminalView implements Screen {
  readonly #terminal: Terminal;
  readonly #fitting: Fitting;
  readonly #typing: Typing;
  readonly #listener: ViewListener;
  readonly #bell = new BellLimit();
  /** From a key to the drawing that answers it. */
  readonly latency = new KeyToPaint();
  readonly search: Search;

  private constructor(options: ViewOptions, listener: ViewListener) {
    this.#listener = listener;
    this.#terminal = new Terminal(terminalOptions(options, listener));
    this.#fitting = new Fitting(this.#terminal);
    this.#typing = new Typing(listener);
    this.search = new Search(this.#terminal);
  }

  /** Draws the grid into `host`, once its font is there. */
  static async open(
    host: HTMLElement,
    options: ViewOptions,
    listener: ViewListener,
  ): Promise<TerminalView> {
    await fontsReady(options.fontSize);
    const view = new TerminalView(options, listener);
    view.#mount(host);
    return view;
  }

  size(): { cols: number; rows: number } {
    const { cols, rows } = this.#terminal;
    return { cols, rows };
  }

  write(bytes: Uint8Array, parsed: () => void): void {
    this.#terminal.write(bytes, () => {
      this.latency.parsed();
      parsed();
    });
  }

  reset(): void {
    // RIS goes through the same queue as the output, so the order holds.
    this.#terminal.write("\u001bc");
  }

  mute(): void {
    this.#typing.mute();
  }

  unmuteWhenParsed(): void {
    this.#terminal.write("", () => this.#typing.unmute());
  }

  /** Refuses or takes typing, as the page says at the same time. */
  lock(locked: boolean): void {
    this.#typing.lock(locked);
    this.latency.forget();
    this.#terminal.options.disableStdin = locked;
  }

  focus(): void {
    this.#terminal.focus();
  }

  blur(): void {
    this.#terminal.blur();
  }

  /** Takes the candidate's choices and the tokens of the theme now in force. */
  adopt(options: ViewOptions): void {
    adoptOptions(this.#terminal, options);
    this.#fitting.soon();
  }

  /** Presses a key of the touch key bar. */
  press(key: TouchKey): void {
    this.#typing.press(key, this.#terminal.modes.applicationCursorKeysMode);
    this.focus();
  }

  /** Makes the next typed letter a control character, or takes that back. */
  holdControl(held: boolean): void {
    this.#typing.holdControl(held);
    this.focus();
  }

  dispose(): void {
    this.#fitting.dispose();
    this.#terminal.dispose();
  }

  #mount(host: HTMLElement): void {
    const terminal = this.#terminal;
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    guardAgainstOutput(terminal);
    styleSpansWithinPolicy();
    terminal.open(host);
    this.#listen(terminal);
    new Pasting(terminal, this.#typing, this.#listener).takeFrom(host);
    host.addEventListener("focusin", () => this.#listener.focused(true));
    host.addEventListener("focusout", () => this.#listener.focused(false));
    this.#fitting.follow(host);
    void accelerate(terminal);
  }

  #listen(terminal: Terminal): void {
    takeShortcuts(terminal, this.#listener);
    terminal.onKey(({ key }) => {
      this.latency.typed(performance.now());
      this.#typing.key(key);
    });
    terminal.onData((text) => this.#typing.text(text));
    terminal.onBinary((text) => this.#typing.binary(text));
    terminal.onRender(() => this.#drawn());
    terminal.onResize(({ cols, rows }) => this.#listener.resized(cols, rows));
    terminal.onBell(() => {
      if (this.#bell.tells(performance.now())) this.#listener.rang();
    });
  }

  #drawn(): void {
    const now = performance.now();
    const span = this.latency.drawn(now);
    if (span === null) return;
    // Whoever observes the page sees each; only the last is kept.
    performance.clearMeasures(PAINT_MEASURE);
    performance.measure(PAINT_MEASURE, { start: now - span, end: now });
  }
}
