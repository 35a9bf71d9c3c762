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
import { ParsedOutput, TypedInput } from "./credit";
import type { ClientFrame, Exit, Notice, ServerFrame, Welcome } from "./frames";
import { Liveness } from "./liveness";
import type { Screen } from "./screen";
import { TerminalSocket } from "./socket";

/** What the session tells the page. */
export interface SessionListener {
  connection(connection: Connection): void;
  notice(notice: Notice): void;
  exit(exit: Exit): void;
  /** The session's status is worth reading now. */
  askStatus(): void;
}

/** A connection that held for so long counts as good, and its failures are forgotten. */
const SETTLED_AFTER_MS = 10_000;
/** How often liveness is judged. */
const JUDGE_EVERY_MS = 1_000;

/**
 * One candidate's terminal over any number of connections: carries out what the state machine
 * decides, and keeps both streams exact across breaks by their offsets.
 */
export class TerminalSession {
  readonly #api: ExamApi;
  readonly #terminal: URL;
  readonly #screen: Screen;
  readonly #listener: SessionListener;
  readonly #output = new ParsedOutput((offset) => this.#send({ type: "ack", offset }), schedule);
  readonly #input = new TypedInput((offset, bytes) => this.#send({ type: "input", offset, bytes }));
  readonly liveness = new Liveness();
  #connection: Connection = IDLE;
  #socket: TerminalSocket | null = null;
  #epoch: number | null = null;
  #received = 0;
  #skip = 0;
  #replaying = false;
  #truncated = false;
  #retry: number | undefined;
  #settle: number | undefined;
  #judge: number | undefined;
  #nextPing = 0;
  #pingMs = 5_000;

  constructor(api: ExamApi, terminal: URL, screen: Screen, listener: SessionListener) {
    this.#api = api;
    this.#terminal = terminal;
    this.#screen = screen;
    this.#listener = listener;
  }

  get connection(): Connection {
    return this.#connection;
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
    const rests = this.#connection.phase === "idle" || this.#connection.phase === "stopped";
    return !rests && this.#input.type(bytes);
  }

  /** Tells the server the screen's new size; without a connection the next HELLO does. */
  resized(cols: number, rows: number): void {
    this.#send({ type: "resize", cols, rows });
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
    if (changed) this.#listener.connection(this.#connection);
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
        this.#epoch = null;
        return;
      case "forget_input":
        this.#input.forget();
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
    const { cols, rows } = this.#screen.size();
    const resume =
      this.#epoch === null
        ? null
        : { epoch: this.#epoch, out_off: this.#received, in_off: this.#input.end };
    this.#socket = new TerminalSocket(this.#api.terminalSocket(this.#terminal), {
      opened: () => this.#send({ type: "hello", ticket, cols, rows, resume, caps: [] }),
      frame: (frame) => this.#frame(frame),
      broken: () => this.stop("fault"),
      closed: (code, reason) => {
        this.#dropSocket();
        this.#apply({ type: "closed", code, reason });
      },
    });
  }

  #dropSocket(): void {
    this.#socket?.close();
    this.#socket = null;
    this.#output.end();
    this.#input.pause();
    this.#endReplay();
    window.clearTimeout(this.#settle);
    window.clearInterval(this.#judge);
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(frame);
  }

  #frame(frame: ServerFrame): void {
    this.liveness.heard(performance.now());
    switch (frame.type) {
      case "welcome":
        return this.#welcome(frame.welcome);
      case "output":
        return this.#printed(frame.bytes);
      case "replay":
        return this.#replay(frame);
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
    const sameShell = welcome.epoch === this.#epoch;
    if (!sameShell) {
      if (this.#epoch !== null || this.#received > 0) this.#screen.reset();
      this.#input.forget();
    }
    // A server may repeat output that is on the screen already; it is skipped, never redrawn.
    this.#skip = sameShell ? Math.max(0, this.#received - welcome.replay_from) : 0;
    this.#received = welcome.replay_from;
    this.#epoch = welcome.epoch;
    this.#output.begin(welcome.replay_from);
    this.#apply({ type: "welcome" });
    this.#input.begin(welcome.in_off, welcome.input_window);
    this.#watch(welcome.ping_ms);
  }

  #printed(bytes: Uint8Array): void {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    this.#received += bytes.length;
    const end = this.#received;
    this.#screen.write(bytes.subarray(skipped), () => this.#output.parsed(end));
  }

  #replay(replay: Extract<ServerFrame, { type: "replay" }>): void {
    if (replay.mark === "begin") {
      if (replay.truncated) {
        this.#skip = 0;
        this.#screen.reset();
      }
      this.#endReplay();
      this.#replaying = true;
      this.#truncated = replay.truncated;
      this.#screen.mute();
      return;
    }
    this.#endReplay();
    if (this.#truncated) this.#nudge();
  }

  /** Also when the connection broke within a replay: a terminal left mute would be dead. */
  #endReplay(): void {
    if (this.#replaying) this.#screen.unmuteWhenParsed();
    this.#replaying = false;
  }

  /** Makes a full-screen program draw itself anew: its first bytes are lost for good. */
  #nudge(): void {
    const { cols, rows } = this.#screen.size();
    this.resized(cols - 1, rows);
    this.resized(cols, rows);
  }

  #watch(pingMs: number): void {
    this.#pingMs = Math.max(1_000, pingMs);
    this.#nextPing = 0;
    this.liveness.begin(performance.now());
    window.clearTimeout(this.#settle);
    window.clearInterval(this.#judge);
    this.#settle = window.setTimeout(() => this.#apply({ type: "settled" }), SETTLED_AFTER_MS);
    this.#judge = window.setInterval(() => this.#judgeNow(), JUDGE_EVERY_MS);
    this.#judgeNow();
  }

  #judgeNow(): void {
    const now = performance.now();
    if (this.liveness.isDead(now)) {
      this.#dropSocket();
      this.#apply({ type: "closed", code: 1006, reason: "" });
      return;
    }
    if (now >= this.#nextPing && document.visibilityState === "visible") {
      this.#nextPing = now + this.#pingMs;
      this.#send({ type: "ping", opaque: this.liveness.ping(now) });
    }
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
