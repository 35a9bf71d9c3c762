import { beforeEach, describe, expect, it } from "vitest";
import { type Line, Speech, type Urgency } from "./speech";

let shown: (string | null)[];
let timers: { action: () => void; due: number }[];
let now: number;
let speech: Speech;

beforeEach(() => {
  shown = [];
  timers = [];
  now = 0;
  speech = new Speech(
    (line) => shown.push(line?.text ?? null),
    (action, ms) => {
      const timer = { action, due: now + ms };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  );
});

function say(text: string, urgency: Urgency = "polite", topic?: string): void {
  const line: Line = { text, urgency, ...(topic !== undefined && { topic }) };
  speech.say(line);
}

/** Lets time pass, one timer after the other. */
function pass(ms: number): void {
  const end = now + ms;
  for (;;) {
    const next = timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
    if (next === undefined) break;
    now = next.due;
    timers = timers.filter((timer) => timer !== next);
    next.action();
  }
  now = end;
}

describe("speech", () => {
  it("says one line after the other, each long enough to be heard", () => {
    say("15 minutes left.");
    say("Exam staff: open the window");
    expect(shown).toEqual(["15 minutes left."]);
    pass(1_999);
    expect(shown).toHaveLength(1);
    pass(1);
    expect(shown).toEqual(["15 minutes left.", "Exam staff: open the window"]);
  });

  it("takes a line away when it is no news any more", () => {
    say("Connected");
    pass(9_999);
    expect(shown).toEqual(["Connected"]);
    pass(1);
    expect(shown).toEqual(["Connected", null]);
    expect(timers).toEqual([]);
  });

  it("says at once what comes after a line has been heard", () => {
    say("one");
    pass(3_000);
    say("two");
    expect(shown).toEqual(["one", "two"]);
  });

  it("lets no bell wipe a warning, and tells of the bell after it", () => {
    say("5 minutes left.");
    say("Bell", "aside", "bell");
    say("Bell", "aside", "bell");
    expect(shown).toEqual(["5 minutes left."]);
    pass(6_000);
    expect(shown).toEqual(["5 minutes left.", "Bell"]);
  });

  it("lets a warning end a bell, which is not told again", () => {
    say("Bell", "aside", "bell");
    say("5 minutes left.");
    pass(60_000);
    expect(shown).toEqual(["Bell", "5 minutes left.", null]);
  });

  it("interrupts for what cannot wait, and says again what it interrupted", () => {
    say("Exam staff: open the window");
    say("10 minutes added by staff.");
    say("1 minute left.", "now");
    pass(60_000);
    expect(shown).toEqual([
      "Exam staff: open the window",
      "1 minute left.",
      "Exam staff: open the window",
      "10 minutes added by staff.",
      null,
    ]);
  });

  it("says nothing that is over: a later line on its topic takes its place", () => {
    say("Reconnecting.", "now", "connection");
    say("1 minute left.", "now");
    say("Connected.", "polite", "connection");
    pass(60_000);
    expect(shown).toEqual(["Reconnecting.", "1 minute left.", "Connected.", null]);
  });

  it("says what is asked for again and again once, until it has been said", () => {
    for (let asked = 0; asked < 300; asked += 1) say("Too much is waiting.", "now");
    say("10 minutes added by staff.");
    say("Too much is waiting.", "now");
    pass(60_000);
    expect(shown).toEqual(["Too much is waiting.", "10 minutes added by staff.", null]);
  });

  it("ends with the newest on a topic, though it was said before", () => {
    say("first", "now");
    say("A", "polite", "link");
    say("B", "polite", "link");
    say("A", "polite", "link");
    pass(60_000);
    expect(shown).toEqual(["first", "A", null]);
  });

  it("drops what waits on a topic that is over", () => {
    say("one", "now", "a");
    say("two", "polite", "b");
    speech.hush("b");
    pass(60_000);
    expect(shown).toEqual(["one", null]);
  });

  it("drops everything where the page shows another state", () => {
    say("one");
    say("two");
    speech.hush();
    pass(60_000);
    expect(shown).toEqual(["one", null]);
    expect(timers).toEqual([]);
  });

  it("takes back what is said on a topic and goes on with what waits", () => {
    say("3 found", "polite", "find");
    say("Copied");
    speech.hush("find");
    expect(shown).toEqual(["3 found", "Copied"]);
  });
});
