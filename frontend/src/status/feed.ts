import type { ExamApi, Timed } from "../api/client";
import { readStatusDocument } from "../api/decode";
import { Problem } from "../api/problem";
import type { StatusDocument } from "../api/types";
import { backoffMs } from "../clock/backoff";
import { EventStreamParser } from "./sse";

/** How the exam server answers at the moment. */
export type Reachability = "reachable" | "unreachable" | "login_expired";

/** What the feed tells the page. */
export interface FeedListener {
  /** A document at least as new as the last one. */
  document(document: StatusDocument): void;
  /** A reading of the server's clock. */
  clock(reading: Timed<StatusDocument>): void;
  reachability(reachability: Reachability): void;
  /** Nothing is available here for this person; the feed has ended. */
  denied(): void;
}

/** The server sends a comment each 15 s; two missed ones and a margin mean a dead stream. */
const SILENCE_MS = 35_000;
/** Re-reads the clock and the document, so that a lost event costs at most this. */
const RESYNC_MS = 60_000;
/** One failure may be a restart; the second says it aloud. */
const FAILURES_TO_SAY = 2;

/**
 * Follows one session's status: a plain read, then the event stream, resumed by
 * `Last-Event-ID`; after any break the same again, with back-off. Ends only on `stop` or denial.
 */
export class StatusFeed {
  readonly #api: ExamApi;
  readonly #listener: FeedListener;
  #revision = -1;
  #lastEventId: string | null = null;
  #stopped = false;
  #failures = 0;
  #wake: () => void = () => undefined;
  #stream: AbortController | null = null;
  #resync: number | undefined;

  constructor(api: ExamApi, listener: FeedListener) {
    this.#api = api;
    this.#listener = listener;
  }

  start(): void {
    this.#resync = window.setInterval(() => void this.refresh().catch(() => undefined), RESYNC_MS);
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    window.clearInterval(this.#resync);
    this.#stream?.abort();
    this.#wake();
  }

  /** Tries again now: the network is back or the page is visible again. */
  hurry(): void {
    this.#wake();
  }

  /** Reads the document once, and with it the server's clock. */
  async refresh(): Promise<void> {
    const reading = await this.#api.status();
    if (this.#stopped) return;
    this.#listener.clock(reading);
    this.#accept(reading.value);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.refresh();
        await this.#follow();
      } catch (error) {
        if (this.#stopped || this.#deniedBy(error)) return;
        this.#failed(error);
      }
      if (!this.#stopped) await this.#pause();
    }
  }

  /** Reads events until the stream ends, which is no failure: servers restart and proxies cut. */
  async #follow(): Promise<void> {
    const stream = new AbortController();
    this.#stream = stream;
    let watchdog = window.setTimeout(() => stream.abort(), SILENCE_MS);
    try {
      const body = await this.#api.events(this.#lastEventId, stream.signal);
      this.#succeeded();
      const parser = new EventStreamParser();
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done || this.#stopped) return;
        window.clearTimeout(watchdog);
        watchdog = window.setTimeout(() => stream.abort(), SILENCE_MS);
        for (const event of parser.push(value)) this.#event(event.name, event.data, event.id);
      }
    } finally {
      window.clearTimeout(watchdog);
      stream.abort();
    }
  }

  #event(name: string, data: string, id: string | null): void {
    if (id !== null) this.#lastEventId = id;
    if (name === "status") this.#accept(readStatusDocument(JSON.parse(data)));
  }

  #accept(document: StatusDocument): void {
    if (document.revision < this.#revision) return;
    this.#revision = document.revision;
    this.#listener.document(document);
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#listener.reachability("reachable");
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    const expired = error instanceof Problem && error.status === 401;
    if (expired) this.#listener.reachability("login_expired");
    else if (this.#failures >= FAILURES_TO_SAY) this.#listener.reachability("unreachable");
  }

  /** A denial is final, except that a login which ran out mid-exam must not take the page away. */
  #deniedBy(error: unknown): boolean {
    if (!(error instanceof Problem) || !error.isDenial) return false;
    if (error.status === 401 && this.#revision >= 0) return false;
    this.stop();
    this.#listener.denied();
    return true;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = window.setTimeout(resolve, 100 + backoffMs(this.#failures, Math.random()));
      this.#wake = () => {
        window.clearTimeout(timer);
        resolve();
      };
    });
  }
}
