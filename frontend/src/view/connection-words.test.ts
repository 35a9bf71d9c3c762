import { describe, expect, it } from "vitest";
import type { Connection } from "../terminal/connection";
import { Liveness } from "../terminal/liveness";
import { connectionFacts } from "./connection-facts";
import { KeyToPaint } from "../terminal/latency";
import { linkOf } from "./link";
import { nextTryWords } from "./lost";

const NONE = { attempt: 0, badTickets: 0, sameCode: 0, code: null };
const AFTER = { attempt: 3, badTickets: 0, sameCode: 1, code: 1006 };
const waiting: Connection = { phase: "waiting", tries: AFTER, delayMs: 2_000 };

function heard(at: number): Liveness {
  const liveness = new Liveness();
  liveness.begin(at);
  return liveness;
}

describe("the connection in words", () => {
  it("is connected with its round trip, and with the age of a byte that is late", () => {
    const liveness = heard(0);
    const attached: Connection = { phase: "attached", tries: NONE };
    expect(linkOf(attached, liveness, 1).figure).toBe("");
    liveness.pong(liveness.ping(10), 500, 14);
    expect(linkOf(attached, liveness, 20).figure).toBe("4 ms");
    liveness.ping(20);
    expect(linkOf(attached, liveness, 9_000)).toEqual({
      shape: "waiting",
      words: "Connected",
      figure: "last byte 9 s ago",
    });
  });

  it("tells the age of the last byte while it is lost or at rest", () => {
    expect(linkOf(waiting, heard(0), 65_400).figure).toBe("last byte 1 min 05 s ago");
    const stopped: Connection = { phase: "stopped", tries: NONE, why: "superseded" };
    expect(linkOf(stopped, heard(0), 3_900).figure).toBe("last byte 3 s ago");
    const first: Connection = { phase: "ticket", tries: NONE };
    expect(linkOf(first, new Liveness(), 5)).toMatchObject({ words: "Connecting", figure: "" });
  });

  it.each([
    [waiting, 1_200, 6_000, true, "Try 3. Trying again in 2 s. Last byte 6 s ago."],
    [waiting, -5, null, true, "Try 3. Trying now."],
    [{ phase: "opening", tries: NONE }, 900, 400, true, "Trying now. Last byte 0 s ago."],
    [
      waiting,
      1_200,
      61_000,
      false,
      "This computer has no network. Trying again as soon as it has. Last byte 1 min 01 s ago.",
    ],
  ] as const)("says what comes next (%#)", (connection, due, age, onLine, words) => {
    expect(nextTryWords(connection, due, age, onLine)).toBe(words);
  });

  it("makes no figure up", () => {
    const figures = connectionFacts(new Liveness(), new KeyToPaint()).map(([, value]) => value);
    expect(figures).toEqual(["not yet", "not yet", "not yet"]);
  });
});
