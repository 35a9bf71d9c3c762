import type { Terminal } from "@xterm/xterm";
import { bracketPaste, type PasteConcern, pasteConcern, sanitisePaste } from "./paste";
import type { ShellEpoch } from "./screen";
import type { Typing } from "./typing";

/** Who is asked whether to paste. */
export interface PasteListener {
  /** Asks whether to paste; resolves to the answer. */
  confirmPaste(concern: PasteConcern, text: string): Promise<boolean>;
  /** Names the shell that typing reaches now; null for none. */
  shell(): ShellEpoch | null;
  /** The same, once the connection holds, or rests and will not by itself. */
  settledShell(): Promise<ShellEpoch | null>;
  /** A confirmed paste has lost its shell: keeps the text where it can be copied. */
  keepPaste(text: string): void;
}

/** Takes pastes and dropped text over from xterm.js, whose own handling lets end markers out. */
export class Pasting {
  readonly #terminal: Terminal;
  readonly #typing: Typing;
  readonly #listener: PasteListener;

  constructor(terminal: Terminal, typing: Typing, listener: PasteListener) {
    this.#terminal = terminal;
    this.#typing = typing;
    this.#listener = listener;
  }

  /** Takes what is pasted into `host`, or dropped on it, before anything within it does. */
  takeFrom(host: HTMLElement): void {
    const capture = { capture: true };
    host.addEventListener("paste", (event) => this.#take(event, event.clipboardData), capture);
    const drop = (event: DragEvent) => takesDrop(event) && this.#take(event, event.dataTransfer);
    host.addEventListener("drop", drop, capture);
    // Only a place that takes what is dragged over it is told of the drop.
    host.addEventListener(
      "dragover",
      (event) => takesDrop(event) && event.preventDefault(),
      capture,
    );
  }

  #take(event: Event, data: DataTransfer | null): void {
    event.preventDefault();
    event.stopPropagation();
    if (!this.#typing.locked) void this.#paste(sanitisePaste(data?.getData("text/plain") ?? ""));
  }

  async #paste(text: string): Promise<void> {
    if (text === "") return;
    const shell = this.#listener.shell();
    let confirmed: PasteConcern | null = null;
    for (;;) {
      // The program may end its bracketed paste while the question is read: then it is asked anew.
      const bracketed = this.#terminal.modes.bracketedPasteMode;
      const concern = pasteConcern(text, bracketed);
      if (concern === null || concern === confirmed) {
        this.#typing.pasted(bracketPaste(text, bracketed));
        return this.#terminal.focus();
      }
      if (!(await this.#listener.confirmPaste(concern, text))) return;
      if ((await this.#listener.settledShell()) !== shell) return this.#listener.keepPaste(text);
      confirmed = concern;
    }
  }
}

/** Files are for nobody here: whoever refuses them says so. */
function takesDrop(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") !== true;
}
