/** A key of the touch key bar. */
export type TouchKey = "escape" | "tab" | "up" | "down" | "left" | "right";

const ARROWS = { up: "A", down: "B", right: "C", left: "D" } as const;

/**
 * What a key of the touch key bar types. `application` is the mode in which full-screen programs
 * read arrows; with Ctrl, arrows have one form in every mode.
 */
export function touchKeyText(key: TouchKey, application: boolean, control: boolean): string {
  if (key === "escape") return "\u001b";
  if (key === "tab") return "\t";
  if (control) return `\u001b[1;5${ARROWS[key]}`;
  return (application ? "\u001bO" : "\u001b[") + ARROWS[key];
}

/** The control character of a letter, as Ctrl held with it would type; null where there is none. */
export function controlled(text: string): string | null {
  if (text === " ") return "\u0000";
  if (!/^[a-z@[\\\]^_?]$/i.test(text)) return null;
  if (text === "?") return "\u007f";
  return String.fromCharCode(text.toUpperCase().charCodeAt(0) & 0x1f);
}

/**
 * What xterm.js answers to output, after its ESC: attributes, status and place, modes, sizes, the
 * focus, settings and colours. No key types one of these but F3 with Shift, Alt or Ctrl.
 */
const ANSWER = /^(?:\[[?>]?[\d;]*\$?[cnRyt]|\[[IO]|[P\]].*\\)$/s;

/** Where typing goes. */
export interface TypingListener {
  typed(bytes: Uint8Array): void;
  /** Ctrl of the touch key bar is no longer held. */
  controlReleased(): void;
}

/**
 * What is typed, on its way out of the grid: nothing while locked, no answers of the terminal
 * while muted, and one control character after Ctrl of the touch key bar.
 */
export class Typing {
  readonly #listener: TypingListener;
  readonly #encoder = new TextEncoder();
  #muted = 0;
  #locked = true;
  #control = false;
  /** What the key that was just pressed is about to type. */
  #key: string | null = null;

  constructor(listener: TypingListener) {
    this.#listener = listener;
  }

  get locked(): boolean {
    return this.#locked;
  }

  lock(locked: boolean): void {
    this.#locked = locked;
  }

  mute(): void {
    this.#muted += 1;
  }

  unmute(): void {
    this.#muted = Math.max(0, this.#muted - 1);
  }

  /** Makes the next letter a control character, or takes that back. */
  holdControl(held: boolean): void {
    this.#control = held;
  }

  /** A key of the touch key bar. */
  press(key: TouchKey, application: boolean): void {
    this.#bytes(touchKeyText(key, application, this.#control));
    this.#release();
  }

  /** A key was pressed, and xterm.js says next that it typed this text. */
  key(text: string): void {
    this.#key = text;
  }

  /** What xterm.js typed: a person's text, or the terminal's own answer. */
  text(text: string): void {
    const isKey = text === this.#key;
    this.#key = null;
    if (this.#muted > 0 && !isKey && isAnswer(text)) return;
    const isSequence = text.startsWith("\u001b") && text.length > 1;
    if (!this.#control || isSequence) return this.#bytes(text);
    this.#bytes(controlled(text) ?? text);
    this.#release();
  }

  /** A paste: never a control character, whatever is held. */
  pasted(text: string): void {
    this.#bytes(text);
  }

  /** Raw bytes, of an old mouse report. */
  binary(text: string): void {
    this.#send(Uint8Array.from(text, (unit) => unit.charCodeAt(0)));
  }

  #release(): void {
    if (!this.#control) return;
    this.#control = false;
    this.#listener.controlReleased();
  }

  #bytes(text: string): void {
    this.#send(this.#encoder.encode(text));
  }

  #send(bytes: Uint8Array): void {
    if (!this.#locked) this.#listener.typed(bytes);
  }
}

function isAnswer(text: string): boolean {
  return text.startsWith("\u001b") && ANSWER.test(text.slice(1));
}
