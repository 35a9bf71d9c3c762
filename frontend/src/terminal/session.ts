import type { ExamApi } from "../api/client";
import { Problem } from "../api/problem";
import type { StopReason } from "./closing";
import {
  type Connection,
  type Effect,
  type Event,
  IDLE,
  step,
  type TicketFailure,
} from "./connection";
import { TypedInput } from "./credit";
import type { ClientFrame, Exit, Notice, ServerFrame, Welcome } from "./frames";
import type { Liveness } from "./liveness";
import { drawPageId } from "./page-id";
import { PrintedOutput } from "./printed";
import type { Screen, ShellEpoch } from "./screen";
import { TerminalSocket } from "./socket";
import { ConnectionWatch } from "./watch";

/** The close code of a connection that is lost without a Close frame. */
const LOST = 1006;

/** What the session tells the page. */
export interface SessionListener {
  connection(connection: Connection): void;
  notice(notice: Notice): void;
  exit(exit: Exit): void;
  /** So many typed characters may not have arrived, and are not sent again. */
  lost(characters: number): void;
  /** The session's status is worth reading now. */
  askStatus(): void;
}

/**
 * One candidate's terminal over any number of connections: carries out what the state machine
 * decides, and keeps both streams exact across breaks by their offsets.
 */
export class TerminalSession {
  readonly #api: ExamApi;
  readonly #terminal: URL;
  readonly #screen: Screen;
  readonly #listener: SessionListener;
  readonly #output: PrintedOutput;
  readonly #input = new TypedInput(
    (offset, bytes) => void this.#send({ type: "input", offset, bytes }),
    (characters) => this.#listener.lost(characters),
  );
  readonly #page = drawPageId();
  /**
   * The attach held last. Null before the first, and when another page had one since: the next one
   * takes the terminal over. Undefined where the server does not tell.
   */
  #attach: number | null | undefined = null;
  readonly #watch = new ConnectionWatch({
    ping: (opaque) => this.#send({ type: "ping", opaque }),
    settled: () => this.#apply({ type: "settled" }),
    dead: () => this.#closed(LOST, ""),
  });
  #connection: Connection = IDLE;
  #socket: TerminalSocket | null = null;
  #retry: number | undefined;
  /** Who waits to know which shell there is. */
  readonly #unsettled: (() => void)[] = [];
  /** The size that this connection's server knows of. */
  #told = { cols: 0, rows: 0 };

  constructor(api: ExamApi, terminal: URL, screen: Screen, listener: SessionListener) {
    this.#api = api;
    this.#terminal = terminal;
    this.#screen = screen;
    this.#listener = listener;
    const acknowledge = (offset: number): void => void this.#send({ type: "ack", offset });
    this.#output = new PrintedOutput(screen, acknowledge, schedule);
  }

  /** What is known of the connection by its bytes. */
  get liveness(): Liveness {
    return this.#watch.liveness;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** The shell that typing reaches; null while none is known or the connection rests. */
  get shell(): ShellEpoch | null {
    return this.#rests ? null : (this.#output.resume?.epoch ?? null);
  }

  /** The same, once it is known: when the connection holds, or rests. */
  settledShell(): Promise<ShellEpoch | null> {
    return new Promise((resolve) => {
      this.#unsettled.push(() => resolve(this.shell));
      this.#tellSettled();
    });
  }

  /** Attaches, or attaches again after a stop. */
  connect(): void {
    this.#apply({ type: "connect" });
  }

  /** Retries now if waiting. */
  hurry(): void {
    this.#apply({ type: "hurry" });
  }

  /** Ends the connection and does not come back by itself. */
  stop(why: StopReason): void {
    this.#apply({ type: "stop", why });
  }

  /**
   * Takes typed bytes; false when too many are waiting already. During a break they are kept
   * and sent after it: the page stops taking them once it has said that typing is paused.
   */
  type(bytes: Uint8Array): boolean {
    return !this.#rests && this.#input.type(bytes);
  }

  /**
   * Tells the server the screen's new size. Without a connection the next HELLO does, and what
   * changes between HELLO and WELCOME is told after the latter.
   */
  resized(cols: number, rows: number): void {
    if (this.#send({ type: "resize", cols, rows })) this.#told = { cols, rows };
  }

  /** The page goes away: the shell stays. Best effort. */
  leave(): void {
    this.#send({ type: "detach", endShell: false });
  }

  #apply(event: Event): void {
    const { state, effects } = step(this.#connection, event, Math.random());
    const changed = state !== this.#connection;
    this.#connection = state;
    for (const effect of effects) this.#carryOut(effect);
    if (!changed) return;
    this.#listener.connection(this.#connection);
    this.#tellSettled();
  }

  get #rests(): boolean {
    return this.#connection.phase === "idle" || this.#connection.phase === "stopped";
  }

  #tellSettled(): void {
    if (!this.#rests && this.#connection.phase !== "attached") return;
    for (const settled of this.#unsettled.splice(0)) settled();
  }

  #carryOut(effect: Effect): void {
    switch (effect.effect) {
      case "request_ticket":
        window.clearTimeout(this.#retry);
        void this.#requestTicket();
        return;
      case "open_socket":
        this.#open(effect.ticket);
        return;
      case "close_socket":
        window.clearTimeout(this.#retry);
        this.#dropSocket();
        return;
      case "start_timer":
        this.#retry = window.setTimeout(() => this.#apply({ type: "timer" }), effect.delayMs);
        return;
      case "forget_screen":
        this.#output.forget();
        return;
      case "forget_input":
        this.#input.forget();
        return;
      case "forget_attach":
        this.#attach = null;
        return;
      case "ask_status":
        this.#listener.askStatus();
    }
  }

  async #requestTicket(): Promise<void> {
    try {
      const { ticket } = await this.#api.ticket(this.#terminal);
      this.#apply({ type: "ticket", ticket });
    } catch (error) {
      this.#apply({ type: "ticket_failed", failure: failureOf(error) });
    }
  }

  #open(ticket: string): void {
    this.#socket = new TerminalSocket(this.#api.terminalSocket(this.#terminal), {
      opened: () => this.#hello(ticket),
      frame: (frame) => this.#frame(frame),
      broken: () => this.stop("fault"),
      closed: (code, reason) => this.#closed(code, reason),
    });
  }

  /** Opening takes a while: the size and the offsets are those of now. */
  #hello(ticket: string): void {
    this.#told = { ...this.#screen.size() };
    const known = this.#output.resume;
    const resume = known === null ? null : { ...known, in_off: this.#input.end };
    const [page, attach] = [this.#page, this.#attach ?? null];
    this.#socket?.send({ type: "hello", ticket, ...this.#told, resume, page, attach, caps: [] });
  }

  #closed(code: number, reason: string): void {
    this.#dropSocket();
    this.#apply({ type: "closed", code, reason });
  }

  #dropSocket(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#output.end();
    this.#input.pause();
    this.#watch.end();
  }

  /** Sends a frame; false without a connection. Between HELLO and WELCOME there is none yet. */
  #send(frame: ClientFrame): boolean {
    if (this.#connection.phase !== "attached" || this.#socket === null) return false;
    this.#socket.send(frame);
    return true;
  }

  #frame(frame: ServerFrame): void {
    this.liveness.heard(performance.now());
    switch (frame.type) {
      case "welcome":
        return this.#welcome(frame.welcome);
      case "output":
        return this.#output.print(frame.bytes);
      case "replay":
        return this.#output.replay(frame);
      case "input_ack":
        return this.#input.acknowledged(frame.offset, frame.credit);
      case "pong":
        return this.liveness.pong(frame.opaque, frame.legMicros, performance.now());
      case "notice":
        return this.#listener.notice(frame.notice);
      case "exit":
        return this.#listener.exit(frame.exit);
      case "ignored":
    }
  }

  #welcome(welcome: Welcome): void {
    const isSameShell = this.#output.begin(welcome);
    // Only a page that held the terminal all the time knows where its typing stands.
    if (!isSameShell || this.#attach === null) this.#input.forget();
    this.#attach = welcome.attach;
    this.#apply({ type: "welcome" });
    this.#tellSize();
    this.#input.begin(welcome.in_off, welcome.input_window);
    this.#watch.begin(welcome.ping_ms);
  }

  #tellSize(): void {
    const { cols, rows } = this.#screen.size();
    if (cols !== this.#told.cols || rows !== this.#told.rows) this.resized(cols, rows);
  }
}

function schedule(action: () => void, ms: number): () => void {
  const timer = window.setTimeout(action, ms);
  return () => window.clearTimeout(timer);
}

function failureOf(error: unknown): TicketFailure {
  if (!(error instanceof Problem)) return { status: null, code: "unreachable", retryAfterMs: null };
  return { status: error.status, code: error.code, retryAfterMs: error.retryAfterMs };
}
