import { type ClientFrame, decodeFrame, encodeFrame, type ServerFrame } from "./frames";
import { SUBPROTOCOL } from "./limits";

export interface SocketListener {
  opened(): void;
  frame(frame: ServerFrame): void;
  /** The server sent what is no frame: a defect, after which nothing on this socket is believed. */
  broken(): void;
  closed(code: number, reason: string): void;
}

/** How long the upgrade may take. */
const OPEN_TIMEOUT_MS = 10_000;
/** The close code browsers report for a connection lost without a Close frame. */
const LOST = 1006;

/** One WebSocket of the terminal protocol. After `close` its listener hears nothing more. */
export class TerminalSocket {
  readonly #socket: WebSocket;
  #listener: SocketListener | null;
  readonly #timeout: number;

  constructor(url: URL, listener: SocketListener) {
    this.#listener = listener;
    this.#socket = new WebSocket(url, SUBPROTOCOL);
    this.#socket.binaryType = "arraybuffer";
    this.#timeout = window.setTimeout(() => this.#finish(LOST, ""), OPEN_TIMEOUT_MS);
    this.#socket.onopen = () => {
      window.clearTimeout(this.#timeout);
      this.#listener?.opened();
    };
    this.#socket.onmessage = (event: MessageEvent<unknown>) => this.#message(event.data);
    this.#socket.onclose = (event) => this.#finish(event.code, event.reason);
  }

  send(frame: ClientFrame): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(frame));
  }

  /** Closes without waiting: on a dead network the browser's own close event takes minutes. */
  close(): void {
    window.clearTimeout(this.#timeout);
    this.#listener = null;
    this.#socket.close();
  }

  #message(data: unknown): void {
    const listener = this.#listener;
    if (listener === null) return;
    if (!(data instanceof ArrayBuffer)) return listener.broken();
    let frame: ServerFrame;
    try {
      frame = decodeFrame(new Uint8Array(data));
    } catch {
      return listener.broken();
    }
    listener.frame(frame);
  }

  #finish(code: number, reason: string): void {
    const listener = this.#listener;
    this.close();
    listener?.closed(code, reason);
  }
}
