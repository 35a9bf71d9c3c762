import { readPageConfig, readStatusDocument, readTicket } from "./decode";
import { problemOf, Unreachable } from "./problem";
import type { PageConfig, StatusDocument, TerminalTicket } from "./types";

/** An answer with the monotonic milliseconds at which it was asked for and received. */
export interface Timed<T> {
  readonly value: T;
  readonly sentAt: number;
  readonly receivedAt: number;
}

/** How long an ordinary call may take: well past a slow network, short of a person's patience. */
const CALL_TIMEOUT_MS = 10_000;

/** The exam server's HTTP interface for one session. The login travels as a cookie only. */
export class ExamApi {
  readonly sessionId: string;

  constructor(sessionId: string) {
    this.sessionId = sessionId;
  }

  /** Exchanges the link's token for the login cookie. */
  async login(token: string): Promise<void> {
    await call("/v1/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
  }

  /** Asks where the terminal process answers. */
  async pageConfig(): Promise<PageConfig> {
    return readPageConfig(await json(await call("/v1/page-config")));
  }

  /** Reads the session's status, with the times needed to judge the server's clock. */
  async status(signal?: AbortSignal): Promise<Timed<StatusDocument>> {
    const sentAt = performance.now();
    const answer = await call(this.#path(""), { cache: "no-store", ...(signal && { signal }) });
    const receivedAt = performance.now();
    return { value: readStatusDocument(await json(answer)), sentAt, receivedAt };
  }

  /** Opens the event stream, after the event named by `lastEventId`. No timeout: it stays open. */
  async events(lastEventId: string | null, signal: AbortSignal): Promise<ReadableStream> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastEventId !== null) headers["last-event-id"] = lastEventId;
    const answer = await send(this.#path("/events"), { headers, signal, cache: "no-store" });
    if (answer.body === null) throw new Unreachable("the event stream has no body");
    return answer.body;
  }

  /** Ends the session for good, as the candidate's own decision. */
  async end(): Promise<void> {
    await call(this.#path("/terminate"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "ended by the candidate" }),
    });
  }

  /** Asks the terminal process at `terminal` for a single-use ticket. */
  async ticket(terminal: URL): Promise<TerminalTicket> {
    const url = new URL(this.#path("/terminal-tickets"), terminal);
    return readTicket(await json(await call(url, { method: "POST", credentials: "include" })));
  }

  /** The terminal's WebSocket address at `terminal`. */
  terminalSocket(terminal: URL): URL {
    const url = new URL(this.#path("/terminal"), terminal);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url;
  }

  #path(rest: string): string {
    return `/v1/sessions/${this.sessionId}${rest}`;
  }
}

async function call(url: string | URL, init: RequestInit = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  return send(url, { ...init, signal });
}

async function send(url: string | URL, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...init });
  } catch (cause) {
    throw new Unreachable("no answer", { cause });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

async function json(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch (cause) {
    throw new Unreachable("the answer broke off", { cause });
  }
}
