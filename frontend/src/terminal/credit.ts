import { charactersIn, safeCut } from "./cut";
import { ACK_AFTER_MS, ACK_EVERY, INPUT_PIECE, MAX_PENDING_INPUT } from "./limits";

/** Runs `action` after `ms`; returns what cancels it. */
export type Schedule = (action: () => void, ms: number) => () => void;

/**
 * Acknowledges output by what has been *parsed*. Acknowledging on receipt would move the queue
 * into the page, and Ctrl-C would seem to lag by seconds.
 */
export class ParsedOutput {
  readonly #send: (offset: number) => void;
  readonly #schedule: Schedule;
  #parsed = 0;
  #acknowledged = 0;
  #cancel: (() => void) | null = null;

  constructor(send: (offset: number) => void, schedule: Schedule) {
    this.#send = send;
    this.#schedule = schedule;
  }

  /** A connection begins, whose first output byte has this offset. */
  begin(offset: number): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#parsed = offset;
    this.#acknowledged = offset;
  }

  /** Everything before `offset` is parsed now. */
  parsed(offset: number): void {
    this.#parsed = Math.max(this.#parsed, offset);
    if (this.#parsed - this.#acknowledged >= ACK_EVERY) this.#flush();
    else if (this.#parsed > this.#acknowledged && this.#cancel === null) {
      this.#cancel = this.#schedule(() => this.#flush(), ACK_AFTER_MS);
    }
  }

  /** The connection has ended: nothing is sent any more. */
  end(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#parsed === this.#acknowledged) return;
    this.#acknowledged = this.#parsed;
    this.#send(this.#parsed);
  }
}

/**
 * Typed bytes on their way: what the server has not acknowledged is kept and sent again from
 * the offset it names, so each byte reaches the shell exactly once. Neither pieces nor the end of
 * credit part a character or an escape sequence.
 */
export class TypedInput {
  readonly #send: (offset: number, bytes: Uint8Array) => void;
  readonly #lost: (characters: number) => void;
  /** Unacknowledged bytes, the first of them at `#base`. */
  #pieces: Uint8Array[] = [];
  #base = 0;
  #length = 0;
  #sent = 0;
  #limit = 0;
  #open = false;

  /** `lost` hears how many typed characters were dropped that may not have arrived. */
  constructor(
    send: (offset: number, bytes: Uint8Array) => void,
    lost: (characters: number) => void,
  ) {
    this.#send = send;
    this.#lost = lost;
  }

  /** The offset after the last byte typed. */
  get end(): number {
    return this.#base + this.#length;
  }

  /** Takes typed bytes; false when so much is waiting already that it takes none of them. */
  type(bytes: Uint8Array): boolean {
    if (this.#length + bytes.length > MAX_PENDING_INPUT) return false;
    let rest = bytes.slice();
    while (rest.length > 0) {
      const cut = safeCut(rest, INPUT_PIECE);
      this.#pieces.push(rest.subarray(0, cut));
      rest = rest.subarray(cut);
    }
    this.#length += bytes.length;
    this.#flush();
    return true;
  }

  /**
   * A connection begins at the server's offset. Bytes before it have arrived; those after it
   * are sent again. An offset outside what is kept, or beyond what was sent, means that another writer
   * was there: a server that knows the page's attach does not let it get so far.
   */
  begin(offset: number, credit: number): void {
    this.#open = true;
    if (offset < this.#base || offset > this.#sent) this.forget();
    if (this.#length === 0) this.#base = offset;
    this.#drop(offset);
    this.#sent = offset;
    this.#limit = offset + credit;
    this.#flush();
  }

  /** The server has passed on everything before `offset` and allows `credit` bytes beyond it. */
  acknowledged(offset: number, credit: number): void {
    this.#drop(Math.min(offset, this.#sent));
    this.#limit = Math.max(this.#limit, offset + credit);
    this.#flush();
  }

  /** The connection has ended: bytes are kept for the next one. */
  pause(): void {
    this.#open = false;
  }

  /**
   * Drops what is unacknowledged: it was meant for another shell, or another tab has written since.
   * The characters are told by their number alone: they may be a secret.
   */
  forget(): void {
    const characters = this.#pieces.reduce((sum, piece) => sum + charactersIn(piece), 0);
    this.#base = this.end;
    this.#pieces = [];
    this.#length = 0;
    this.#sent = this.#base;
    if (characters > 0) this.#lost(characters);
  }

  #drop(offset: number): void {
    while (this.#base < offset) {
      const first = this.#pieces[0];
      if (first === undefined) return;
      const count = Math.min(first.length, offset - this.#base);
      if (count === first.length) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(count);
      this.#base += count;
      this.#length -= count;
    }
  }

  #flush(): void {
    if (!this.#open) return;
    let at = this.#base;
    for (const piece of this.#pieces) {
      const end = at + safeCut(piece, Math.max(0, this.#limit - at));
      if (end > this.#sent && this.#sent >= at) {
        const bytes = piece.subarray(this.#sent - at, end - at);
        const offset = this.#sent;
        this.#sent = end;
        this.#send(offset, bytes);
      }
      at += piece.length;
    }
  }
}
