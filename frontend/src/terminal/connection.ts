import { backoffMs } from "../clock/backoff";
import { type Reaction, reactionTo, retryAfterIn, type StopReason } from "./closing";

/** Where the connection stands. `attempt` counts tries since it last held. */
export type Connection =
  | { readonly phase: "idle"; readonly tries: Tries }
  | { readonly phase: "ticket"; readonly tries: Tries }
  | { readonly phase: "opening"; readonly tries: Tries }
  | { readonly phase: "attached"; readonly tries: Tries }
  | { readonly phase: "waiting"; readonly tries: Tries; readonly delayMs: number }
  | { readonly phase: "stopped"; readonly tries: Tries; readonly why: StopReason };

/** Failures in a row. `code` is the last close code, for limits that are per code. */
export interface Tries {
  readonly attempt: number;
  readonly badTickets: number;
  readonly sameCode: number;
  readonly code: number | null;
}

export type Event =
  /** The person pressed a button, or the session is found running. */
  | { readonly type: "connect" }
  | { readonly type: "ticket"; readonly ticket: string }
  | { readonly type: "ticket_failed"; readonly failure: TicketFailure }
  | { readonly type: "welcome" }
  /** The connection has held long enough to count as good. */
  | { readonly type: "settled" }
  | { readonly type: "closed"; readonly code: number; readonly reason: string }
  | { readonly type: "timer" }
  /** The network is back or the page is visible again: no reason to wait longer. */
  | { readonly type: "hurry" }
  | { readonly type: "stop"; readonly why: StopReason };

/** Why no ticket was issued; `status` null means no answer at all. */
export interface TicketFailure {
  readonly status: number | null;
  readonly code: string;
  readonly retryAfterMs: number | null;
}

export type Effect =
  | { readonly effect: "request_ticket" }
  | { readonly effect: "open_socket"; readonly ticket: string }
  | { readonly effect: "close_socket" }
  | { readonly effect: "start_timer"; readonly delayMs: number }
  | { readonly effect: "forget_screen" }
  | { readonly effect: "forget_input" }
  /** The next HELLO takes the terminal over: only a person brings it about. */
  | { readonly effect: "forget_attach" }
  | { readonly effect: "ask_status" };

export interface Step {
  readonly state: Connection;
  readonly effects: readonly Effect[];
}

const NO_TRIES: Tries = { attempt: 0, badTickets: 0, sameCode: 0, code: null };

/** The state before anything happened. */
export const IDLE: Connection = { phase: "idle", tries: NO_TRIES };

/** Computes what follows `event`. Pure: `random` in [0, 1) is the only chance in it. */
export function step(state: Connection, event: Event, random: number): Step {
  switch (event.type) {
    case "connect":
      return isUnderWay(state) ? stay(state) : requestTicket(NO_TRIES);
    case "ticket":
      if (state.phase !== "ticket") return stay(state);
      return {
        state: { phase: "opening", tries: state.tries },
        effects: [{ effect: "open_socket", ticket: event.ticket }],
      };
    case "ticket_failed":
      return state.phase === "ticket"
        ? afterTicketFailure(state, event.failure, random)
        : stay(state);
    case "welcome":
      return state.phase === "opening"
        ? stay({ phase: "attached", tries: { ...state.tries, badTickets: 0 } })
        : stay(state);
    case "settled":
      return state.phase === "attached" ? stay({ ...state, tries: NO_TRIES }) : stay(state);
    case "closed":
      return hasSocket(state) ? afterClose(state, event.code, event.reason, random) : stay(state);
    case "timer":
    case "hurry":
      return state.phase === "waiting" ? requestTicket(state.tries) : stay(state);
    case "stop":
      return {
        state: { phase: "stopped", tries: NO_TRIES, why: event.why },
        effects: [{ effect: "close_socket" }],
      };
  }
}

function stay(state: Connection): Step {
  return { state, effects: [] };
}

function hasSocket(state: Connection): boolean {
  return state.phase === "opening" || state.phase === "attached";
}

function isUnderWay(state: Connection): boolean {
  return hasSocket(state) || state.phase === "ticket";
}

function requestTicket(tries: Tries, before: readonly Effect[] = []): Step {
  return { state: { phase: "ticket", tries }, effects: [...before, { effect: "request_ticket" }] };
}

function wait(tries: Tries, delayMs: number): Step {
  const next = { ...tries, attempt: tries.attempt + 1 };
  return {
    state: { phase: "waiting", tries: next, delayMs },
    effects: [{ effect: "start_timer", delayMs }],
  };
}

/** Stops, and where the session's own page knows more, asks it. */
function rest(why: StopReason): Step {
  const effects: Effect[] = [];
  // Another tab has typed since, or the shell is gone: what waits here was not meant for it.
  if (why === "superseded" || why === "shell_exited") effects.push({ effect: "forget_input" });
  if (why === "superseded") effects.push({ effect: "forget_attach" });
  // Whoever asks for a new shell resumes none: what is on screen stays there until it is.
  if (why === "shell_exited") effects.push({ effect: "forget_screen" });
  if (why !== "superseded" && why !== "shell_exited") effects.push({ effect: "ask_status" });
  return { state: { phase: "stopped", tries: NO_TRIES, why }, effects };
}

function afterTicketFailure(state: Connection, failure: TicketFailure, random: number): Step {
  const { status, retryAfterMs } = failure;
  if (status === 401) return rest("login_expired");
  if (status === 403 || status === 404) return rest("not_available");
  const stoppable = status !== null && status >= 400 && status < 500;
  const passing = status === 408 || status === 409 || status === 425 || status === 429;
  if (stoppable && !passing) return rest("fault");
  return wait(state.tries, Math.max(retryAfterMs ?? 0, backoffMs(state.tries.attempt, random)));
}

function afterClose(state: Connection, code: number, reason: string, random: number): Step {
  const sameCode = state.tries.code === code ? state.tries.sameCode + 1 : 1;
  const tries: Tries = { ...state.tries, code, sameCode };
  return react(reactionTo(code), tries, retryAfterIn(reason), random);
}

function react(reaction: Reaction, tries: Tries, retryMs: number | null, random: number): Step {
  switch (reaction.do) {
    case "stop":
      return rest(reaction.why);
    case "back_off":
      if (reaction.atMost !== undefined && tries.sameCode > reaction.atMost) return rest("fault");
      return wait(tries, Math.max(retryMs ?? 0, backoffMs(tries.attempt, random)));
    case "spread":
      return wait(tries, (retryMs ?? 0) + Math.round(reaction.overMs * random));
    case "at_once":
      return tries.sameCode > 1
        ? wait(tries, backoffMs(tries.attempt, random))
        : requestTicket(tries);
    case "new_ticket": {
      const badTickets = tries.badTickets + 1;
      return badTickets > 1 ? rest("fault") : requestTicket({ ...tries, badTickets });
    }
    case "fresh": {
      const forget: Effect[] = [{ effect: "forget_screen" }, { effect: "forget_input" }];
      return tries.sameCode > 1 ? rest("fault") : requestTicket(tries, forget);
    }
  }
}
