import { Liveness } from "./liveness";

/** A connection that held for so long counts as good, and its failures are forgotten. */
const SETTLED_AFTER_MS = 10_000;
/** How often liveness is judged. */
const JUDGE_EVERY_MS = 1_000;
/** A server that asks for more PINGs than this gets no more. */
const LEAST_PING_MS = 1_000;

/** What the watch over a connection finds, and what it sends. */
interface WatchListener {
  ping(opaque: bigint): void;
  settled(): void;
  dead(): void;
}

/** Watches one connection at a time: sends PINGs while the page is looked at, and judges by bytes. */
export class ConnectionWatch {
  readonly liveness = new Liveness();
  readonly #listener: WatchListener;
  #settle: number | undefined;
  #judge: number | undefined;
  #nextPing = 0;
  #pingMs = LEAST_PING_MS;

  constructor(listener: WatchListener) {
    this.#listener = listener;
  }

  /** A connection has begun, whose server wants a PING each `pingMs`. */
  begin(pingMs: number): void {
    this.end();
    this.#pingMs = Math.max(LEAST_PING_MS, pingMs);
    this.#nextPing = 0;
    this.liveness.begin(performance.now());
    this.#settle = window.setTimeout(() => this.#listener.settled(), SETTLED_AFTER_MS);
    this.#judge = window.setInterval(() => this.#judgeNow(), JUDGE_EVERY_MS);
    this.#judgeNow();
  }

  /** The connection is gone. */
  end(): void {
    window.clearTimeout(this.#settle);
    window.clearInterval(this.#judge);
  }

  #judgeNow(): void {
    const now = performance.now();
    if (this.liveness.isDead(now)) return this.#listener.dead();
    if (now < this.#nextPing || document.visibilityState !== "visible") return;
    this.#nextPing = now + this.#pingMs;
    this.#listener.ping(this.liveness.ping(now));
  }
}
