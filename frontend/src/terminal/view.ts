import "@xterm/xterm/css/xterm.css";
import "../styles/fonts.css";
import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { Terminal } from "@xterm/xterm";
import { guardAgainstOutput } from "./guards";
import { type KeyChord, keyAction } from "./keys";
import { MAX_COLUMNS, MAX_ROWS, MIN_COLUMNS } from "./limits";
import { bracketPaste, pasteConcern, sanitisePaste } from "./paste";
import type { Screen } from "./screen";
import { gridContrast, themeFromTokens } from "./theme";

export interface ViewOptions {
  readonly fontSize: number;
  readonly screenReader: boolean;
  readonly reducedMotion: boolean;
}

/** What the grid tells its page. */
export interface ViewListener {
  typed(bytes: Uint8Array): void;
  resized(cols: number, rows: number): void;
  /** The documented way out of the grid was pressed. */
  left(): void;
  focused(focused: boolean): void;
  copied(): void;
  /** A link in the output was activated; it is shown, never followed. */
  link(address: string): void;
  /** Asks whether to paste; resolves to the answer. */
  confirmPaste(concern: "lines" | "large", text: string): Promise<boolean>;
}

const FONT = '"Carrel Mono", "Carrel Symbols", ui-monospace, monospace';
/** A slow font must not keep a candidate from their shell. */
const FONT_WAIT_MS = 3_000;
/** Resizes settle before they are sent: dragging a window sends one, not fifty. */
const RESIZE_SETTLE_MS = 80;

/** The grid: xterm.js with everything the output or a paste could abuse taken away. */
export class TerminalView implements Screen {
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #host: HTMLElement;
  readonly #listener: ViewListener;
  readonly #observer: ResizeObserver;
  readonly #encoder = new TextEncoder();
  #muted = 0;
  #locked = true;
  #control = false;
  #settling: number | undefined;

  private constructor(host: HTMLElement, options: ViewOptions, listener: ViewListener) {
    this.#host = host;
    this.#listener = listener;
    this.#terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: !options.reducedMotion,
      disableStdin: true,
      fontFamily: FONT,
      fontSize: options.fontSize,
      lineHeight: 1.2,
      linkHandler: { activate: (_event, address) => listener.link(address) },
      minimumContrastRatio: gridContrast(),
      rightClickSelectsWord: false,
      screenReaderMode: options.screenReader,
      scrollback: 5_000,
      smoothScrollDuration: 0,
      theme: themeFromTokens(),
    });
    this.#observer = new ResizeObserver(() => this.#resizeSoon());
  }

  /** Draws the grid into `host`, once its font is there. */
  static async open(
    host: HTMLElement,
    options: ViewOptions,
    listener: ViewListener,
  ): Promise<TerminalView> {
    await fontsReady(options.fontSize);
    const view = new TerminalView(host, options, listener);
    view.#mount();
    return view;
  }

  size(): { cols: number; rows: number } {
    const { cols, rows } = this.#terminal;
    return { cols, rows };
  }

  write(bytes: Uint8Array, parsed: () => void): void {
    this.#terminal.write(bytes, parsed);
  }

  reset(): void {
    // RIS goes through the same queue as the output, so the order holds.
    this.#terminal.write("\u001bc");
  }

  mute(): void {
    this.#muted += 1;
  }

  unmuteWhenParsed(): void {
    this.#terminal.write("", () => {
      this.#muted = Math.max(0, this.#muted - 1);
    });
  }

  /** Refuses or takes typing, as the page says at the same time. */
  lock(locked: boolean): void {
    this.#locked = locked;
    this.#terminal.options.disableStdin = locked;
  }

  focus(): void {
    this.#terminal.focus();
  }

  blur(): void {
    this.#terminal.blur();
  }

  setFontSize(fontSize: number): void {
    this.#terminal.options.fontSize = fontSize;
    this.#resizeSoon();
  }

  setScreenReader(on: boolean): void {
    this.#terminal.options.screenReaderMode = on;
  }

  /** Takes the tokens of the theme now in force. */
  refreshTheme(): void {
    this.#terminal.options.theme = themeFromTokens();
    this.#terminal.options.minimumContrastRatio = gridContrast();
  }

  /** Presses a key of the touch key bar. */
  press(key: "escape" | "tab" | "up" | "down" | "left" | "right"): void {
    const lead = this.#terminal.modes.applicationCursorKeysMode ? "\u001bO" : "\u001b[";
    const arrows = { up: "A", down: "B", right: "C", left: "D" };
    if (key === "escape") this.#type("\u001b");
    else if (key === "tab") this.#type("\t");
    else this.#type(lead + arrows[key]);
    this.focus();
  }

  /** Makes the next typed letter a control character. */
  holdControl(held: boolean): void {
    this.#control = held;
    this.focus();
  }

  dispose(): void {
    window.clearTimeout(this.#settling);
    this.#observer.disconnect();
    this.#terminal.dispose();
  }

  #mount(): void {
    const terminal = this.#terminal;
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    guardAgainstOutput(terminal);
    terminal.open(this.#host);
    terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    terminal.onData((text) => this.#type(text));
    terminal.onBinary((text) => this.#bytes(Uint8Array.from(text, (unit) => unit.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => this.#listener.resized(cols, rows));
    this.#host.addEventListener("paste", (event) => this.#paste(event), { capture: true });
    this.#host.addEventListener("focusin", () => this.#listener.focused(true));
    this.#host.addEventListener("focusout", () => this.#listener.focused(false));
    this.#resize();
    this.#observer.observe(this.#host);
    void this.#accelerate();
  }

  /** Draws by WebGL where there is one; the DOM renderer is as correct, only slower. */
  async #accelerate(): Promise<void> {
    try {
      const { WebglAddon } = await import("@xterm/addon-webgl");
      const addon = new WebglAddon();
      addon.onContextLoss(() => addon.dispose());
      this.#terminal.loadAddon(addon);
    } catch {
      // No WebGL, or no context left: the DOM renderer stays.
    }
  }

  #key(event: KeyboardEvent): boolean {
    const action = keyAction(event satisfies KeyChord);
    if (action === null) return true;
    // A paste is left to the browser, which then fires the paste event without asking anyone.
    if (action !== "paste") event.preventDefault();
    if (event.type === "keydown" && action === "copy") void this.#copy();
    if (event.type === "keydown" && action === "leave") this.#listener.left();
    return false;
  }

  async #copy(): Promise<void> {
    const text = this.#terminal.getSelection();
    if (text === "") return;
    try {
      await navigator.clipboard.writeText(text);
      this.#listener.copied();
    } catch {
      // Refused by the browser; its own menu still copies the selection.
    }
  }

  #paste(event: ClipboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    if (this.#locked) return;
    void this.#pasteText(event.clipboardData?.getData("text/plain") ?? "");
  }

  async #pasteText(pasted: string): Promise<void> {
    const text = sanitisePaste(pasted);
    if (text === "") return;
    const concern = pasteConcern(text, this.#terminal.modes.bracketedPasteMode);
    if (concern !== null && !(await this.#listener.confirmPaste(concern, text))) return;
    this.#type(bracketPaste(text, this.#terminal.modes.bracketedPasteMode));
    this.focus();
  }

  #type(text: string): void {
    // Every answer of the terminal holds an ESC; what a person types meanwhile mostly does not.
    if (this.#muted > 0 && text.includes("\u001b")) return;
    const controlled = this.#control && /^[a-z@[\\\]^_]$/i.test(text);
    this.#control = false;
    const typed = controlled ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 0x1f) : text;
    this.#bytes(this.#encoder.encode(typed));
  }

  #bytes(bytes: Uint8Array): void {
    if (this.#locked) return;
    this.#listener.typed(bytes);
  }

  #resizeSoon(): void {
    window.clearTimeout(this.#settling);
    this.#settling = window.setTimeout(() => this.#resize(), RESIZE_SETTLE_MS);
  }

  #resize(): void {
    const proposed = this.#fit.proposeDimensions();
    if (proposed === undefined || Number.isNaN(proposed.cols) || Number.isNaN(proposed.rows))
      return;
    const cols = Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, proposed.cols));
    const rows = Math.min(MAX_ROWS, Math.max(1, proposed.rows));
    if (cols !== this.#terminal.cols || rows !== this.#terminal.rows)
      this.#terminal.resize(cols, rows);
  }
}

async function fontsReady(size: number): Promise<void> {
  const loading = Promise.all([
    document.fonts.load(`${size}px "Carrel Mono"`),
    document.fonts.load(`bold ${size}px "Carrel Mono"`),
  ]);
  const enough = new Promise((resolve) => window.setTimeout(resolve, FONT_WAIT_MS));
  await Promise.race([loading.catch(() => undefined), enough]);
}
