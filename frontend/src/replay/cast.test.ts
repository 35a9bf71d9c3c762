import { describe, expect, it } from "vitest";
import { clockOf, outlineOf } from "./cast";
import { recordedSessionOf } from "./path";

const HEADER = '{"version":3,"term":{"cols":80,"rows":24},"timestamp":1700000000}';

describe("the outline of a recording", () => {
  it("adds up intervals and names what is marked", () => {
    const cast = [
      HEADER,
      '[0.000000, "m", "attach"]',
      '[1.500000, "o", "hello\\r\\n"]',
      '[0.500000, "m", "gap: 300 bytes unrecorded"]',
      '[60.000000, "m", "gap: 12 bytes hole"]',
      '[0.250000, "x", "7"]',
      "",
    ].join("\n");
    expect(outlineOf(cast)).toEqual({
      beganAt: 1_700_000_000_000,
      seconds: 62.25,
      missingBytes: 312,
      moments: [
        { seconds: 0, label: "terminal opened", isGap: false },
        { seconds: 2, label: "300 bytes not on record", isGap: true },
        { seconds: 62, label: "12 bytes not on record", isGap: true },
        { seconds: 62.25, label: "shell ended (7)", isGap: false },
      ],
    });
  });

  it("is not misled by output that looks like a marker", () => {
    const cast = [HEADER, '[1.0, "o", "[0, \\"m\\", \\"gap: 9 bytes hole\\"]"]'].join("\n");
    expect(outlineOf(cast).missingBytes).toBe(0);
  });

  it("is empty for a recording without an event", () => {
    expect(outlineOf(`${HEADER}\n`)).toMatchObject({ seconds: 0, moments: [] });
  });
});

describe("times in a recording", () => {
  it.each([
    [0, "0:00"],
    [62.9, "1:02"],
    [3723, "1:02:03"],
  ])("%d is %s", (seconds, shown) => expect(clockOf(seconds)).toBe(shown));
});

describe("the page's address", () => {
  const id = "019c2297-a2d4-7409-9418-3c62abdc2af9";
  it.each([
    [`/replay/${id}`, id],
    [`/replay/${id.toUpperCase()}/`, id],
    [`/exam/${id}`, null],
    ["/replay/", null],
    [`/replay/${id}/x`, null],
  ])("%s", (path, session) => expect(recordedSessionOf(path)).toBe(session));
});
