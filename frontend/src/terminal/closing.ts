/** Why the terminal rests until a person or the session's status says otherwise. */
export type StopReason =
  | "shell_exited"
  | "superseded"
  | "ended"
  | "not_available"
  | "login_expired"
  | "environment_gone"
  | "fault";

/** What to do after a close. */
export type Reaction =
  | { readonly do: "stop"; readonly why: StopReason }
  | { readonly do: "back_off"; readonly atMost?: number }
  | { readonly do: "spread"; readonly overMs: number }
  | { readonly do: "at_once" }
  | { readonly do: "new_ticket" }
  | { readonly do: "fresh" };

const stop = (why: StopReason): Reaction => ({ do: "stop", why });
const BACK_OFF: Reaction = { do: "back_off" };
/** A whole process's candidates come back over this span instead of in one instant. */
const SPREAD: Reaction = { do: "spread", overMs: 5000 };

/** Close codes of `carrel-terminal.v1`; the golden file holds the server's view of the same. */
const REACTIONS: ReadonlyMap<number, Reaction> = new Map([
  [1000, stop("shell_exited")],
  [1001, SPREAD],
  [1002, stop("fault")],
  [1003, stop("fault")],
  [1009, stop("fault")],
  [1011, BACK_OFF],
  [1012, SPREAD],
  [1013, BACK_OFF],
  [4001, { do: "new_ticket" }],
  [4004, stop("not_available")],
  [4008, BACK_OFF],
  [4009, stop("superseded")],
  [4010, stop("ended")],
  [4012, stop("login_expired")],
  [4013, { do: "fresh" }],
  [4021, { do: "at_once" }],
  [4030, BACK_OFF],
  [4031, stop("environment_gone")],
  [4032, { do: "back_off", atMost: 5 }],
]);

/** The reaction to a close code; an unknown one (1006 above all) is a lost connection. */
export function reactionTo(code: number): Reaction {
  return REACTIONS.get(code) ?? BACK_OFF;
}

/** Reads the pause a server asks for in a close reason, `retry_after=3` in seconds; else null. */
export function retryAfterIn(reason: string): number | null {
  const seconds = /\bretry_after(?:_seconds)?[=: ]+(\d{1,4})\b/.exec(reason)?.[1];
  if (seconds !== undefined) return Number(seconds) * 1000;
  const millis = /\bretry_after_ms[=: ]+(\d{1,7})\b/.exec(reason)?.[1];
  return millis === undefined ? null : Number(millis);
}
