import { describe, expect, it } from "vitest";
import { BACKOFF_CAP_MS } from "../clock/backoff";
import { type Connection, type Event, IDLE, type Step, step } from "./connection";

const HALF = 0.5;

function run(events: readonly Event[], random = HALF, from: Connection = IDLE): Step {
  return events.reduce<Step>((last, event) => step(last.state, event, random), {
    state: from,
    effects: [],
  });
}

const ATTACH: readonly Event[] = [
  { type: "connect" },
  { type: "ticket", ticket: "t" },
  { type: "welcome" },
];
const attached = (): Connection => run(ATTACH).state;
const closed = (code: number, reason = ""): Event => ({ type: "closed", code, reason });

describe("attaching", () => {
  it("takes a ticket, opens a socket with it and is attached by WELCOME only", () => {
    expect(run(ATTACH.slice(0, 1)).effects).toEqual([{ effect: "request_ticket" }]);
    expect(run(ATTACH.slice(0, 2)).effects).toEqual([{ effect: "open_socket", ticket: "t" }]);
    expect(run(ATTACH.slice(0, 2)).state.phase).toBe("opening");
    expect(attached().phase).toBe("attached");
  });

  it("does not open a second socket when asked to connect twice", () => {
    const twice = run([{ type: "connect" }], HALF, attached());
    expect(twice.effects).toEqual([]);
    expect(twice.state.phase).toBe("attached");
  });

  it("ignores a ticket that comes after it was stopped", () => {
    const { state, effects } = run([
      { type: "connect" },
      { type: "stop", why: "ended" },
      { type: "ticket", ticket: "late" },
    ]);
    expect(state.phase).toBe("stopped");
    expect(effects).toEqual([]);
  });
});

describe("tickets that are not issued", () => {
  const failed = (status: number | null, retryAfterMs: number | null = null): Step =>
    run([
      { type: "connect" },
      { type: "ticket_failed", failure: { status, code: "x", retryAfterMs } },
    ]);

  it.each([
    [401, "login_expired"],
    [403, "not_available"],
    [404, "not_available"],
    [400, "fault"],
  ])("stops on %i as %s and asks the session's status", (status, why) => {
    expect(failed(status).state).toMatchObject({ phase: "stopped", why });
    expect(failed(status).effects).toEqual([{ effect: "ask_status" }]);
  });

  it.each([null, 409, 429, 500, 503])("waits and tries again on %s", (status) => {
    expect(failed(status).state.phase).toBe("waiting");
  });

  it("waits at least as long as the server asks", () => {
    expect(failed(429, 7000).state).toMatchObject({ phase: "waiting", delayMs: 7000 });
  });
});

describe("closes", () => {
  it.each([
    [1000, "shell_exited"],
    [1002, "fault"],
    [1003, "fault"],
    [1009, "fault"],
    [4004, "not_available"],
    [4009, "superseded"],
    [4010, "ended"],
    [4012, "login_expired"],
    [4031, "environment_gone"],
  ])("stop for good on %i as %s", (code, why) => {
    const { state, effects } = run([closed(code)], HALF, attached());
    expect(state).toMatchObject({ phase: "stopped", why });
    expect(effects.some(({ effect }) => effect === "request_ticket")).toBe(false);
    expect(run([{ type: "timer" }, { type: "hurry" }], HALF, state).state).toEqual(state);
  });

  it.each([1006, 1011, 1013, 4008, 4030, 4999])("back off on %i", (code) => {
    const { state, effects } = run([closed(code)], HALF, attached());
    expect(state).toMatchObject({ phase: "waiting", delayMs: 125 });
    expect(effects).toEqual([{ effect: "start_timer", delayMs: 125 }]);
  });

  it.each([1001, 1012])("spread over five seconds on %i", (code) => {
    expect(run([closed(code)], 0.9, attached()).state).toMatchObject({ delayMs: 4500 });
    expect(run([closed(code)], 0, attached()).state).toMatchObject({ delayMs: 0 });
  });

  it("take one new ticket on 4001 and stop at the second", () => {
    const first = run([closed(4001)], HALF, attached());
    expect(first.effects).toEqual([{ effect: "request_ticket" }]);
    const second = run([{ type: "ticket", ticket: "u" }, closed(4001)], HALF, first.state);
    expect(second.state).toMatchObject({ phase: "stopped", why: "fault" });
  });

  it("forget on 1000 the shell that is gone, so that the next HELLO asks for another", () => {
    const effects = run([closed(1000)], HALF, attached()).effects.map(({ effect }) => effect);
    expect(effects).toEqual(["forget_input", "forget_screen"]);
  });

  it("forget screen and input on 4013 and connect afresh", () => {
    const effects = run([closed(4013)], HALF, attached()).effects.map(({ effect }) => effect);
    expect(effects).toEqual(["forget_screen", "forget_input", "request_ticket"]);
  });

  it("resume at once on 4021, but not in a tight circle", () => {
    const first = run([closed(4021)], HALF, attached());
    expect(first.state.phase).toBe("ticket");
    const again = run(
      [{ type: "ticket", ticket: "u" }, { type: "welcome" }, closed(4021)],
      HALF,
      first.state,
    );
    expect(again.state.phase).toBe("waiting");
  });

  it("give up on 4032 after five tries", () => {
    let state = attached();
    const retry: Event[] = [{ type: "timer" }, { type: "ticket", ticket: "t" }, closed(4032)];
    state = run([closed(4032)], HALF, state).state;
    for (let tries = 2; tries <= 5; tries += 1) state = run(retry, HALF, state).state;
    expect(state.phase).toBe("waiting");
    expect(run(retry, HALF, state).state).toMatchObject({ phase: "stopped", why: "fault" });
  });

  it("wait as long as the reason says", () => {
    const seconds = run([closed(1013, "overloaded retry_after=12")], HALF, attached());
    expect(seconds.state).toMatchObject({ delayMs: 12_000 });
    const millis = run([closed(1013, "retry_after_ms=1500")], HALF, attached());
    expect(millis.state).toMatchObject({ delayMs: 1500 });
    const spread = run([closed(1012, "restart retry_after=1")], 0.5, attached());
    expect(spread.state).toMatchObject({ delayMs: 3500 });
  });

  it("drop unsent input when another tab took over: it has typed since", () => {
    const effects = run([closed(4009)], HALF, attached()).effects.map(({ effect }) => effect);
    expect(effects).toEqual(["forget_input", "forget_attach"]);
  });

  it("keep the attach but where another tab took over: the page does not take it back by itself", () => {
    const codes = [1000, 1001, 1006, 1012, 4010, 4012, 4013, 4021, 4030, 4032];
    const forgetting = codes.filter((code) =>
      run([closed(code)], HALF, attached()).effects.some(
        ({ effect }) => effect === "forget_attach",
      ),
    );
    expect(forgetting).toEqual([]);
  });

  it("mean nothing without a socket", () => {
    expect(run([closed(4010)]).state).toEqual(IDLE);
  });
});

describe("trying again", () => {
  const fail: readonly Event[] = [{ type: "timer" }, { type: "ticket", ticket: "t" }, closed(1006)];

  it("doubles the window up to the cap and never leaves it", () => {
    let state = run([closed(1006)], 0.999, attached()).state;
    const delays: number[] = [];
    for (let tries = 0; tries < 12; tries += 1) {
      if (state.phase === "waiting") delays.push(state.delayMs);
      state = run(fail, 0.999, state).state;
    }
    expect(delays.slice(0, 4)).toEqual([250, 500, 999, 1998]);
    expect(Math.max(...delays)).toBeLessThanOrEqual(BACKOFF_CAP_MS);
    expect(delays.at(-1)).toBe(9990);
  });

  it("goes at once when the network is back", () => {
    const waiting = run([closed(1006)], HALF, attached()).state;
    expect(run([{ type: "hurry" }], HALF, waiting).effects).toEqual([{ effect: "request_ticket" }]);
  });

  it("counts failures until a connection has held, not merely opened", () => {
    const waiting = run([closed(1006)], HALF, attached()).state;
    const reopened = run([{ type: "timer" }, ...ATTACH.slice(1)], HALF, waiting).state;
    expect(reopened.tries.attempt).toBe(1);
    expect(run([{ type: "settled" }], HALF, reopened).state.tries.attempt).toBe(0);
  });

  it("comes back from rest when the person asks", () => {
    const superseded = run([closed(4009)], HALF, attached()).state;
    expect(run([{ type: "connect" }], HALF, superseded).effects).toEqual([
      { effect: "request_ticket" },
    ]);
  });
});
