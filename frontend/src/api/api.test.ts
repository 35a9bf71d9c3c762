import { describe, expect, it } from "vitest";
import { readPageConfig, readStatusDocument, readTicket, UnreadableAnswer } from "./decode";
import { sessionIdOf, takeToken, tokenOf } from "./link";
import { problemOf, retryAfter } from "./problem";

const ID = "0198a000-0000-7000-8000-000000000001";
const DOCUMENT = {
  state: "running",
  revision: 3,
  stages: [],
  reference: "7F3K-22",
  server_time: "2026-11-23T09:00:00Z",
  ends_at: null,
  ended_at: null,
  running_at: "2026-11-23T08:00:00Z",
  ready_by: null,
  exam: { title: "Linux fundamentals" },
  clock: { kind: "window" },
};

describe("the link", () => {
  it("names the session by its path only", () => {
    expect(sessionIdOf(`/exam/${ID}`)).toBe(ID);
    expect(sessionIdOf(`/exam/${ID.toUpperCase()}/`)).toBe(ID);
    for (const path of ["/exam/", `/exam/${ID}/x`, "/exam/../v1", `/exams/${ID}`]) {
      expect(sessionIdOf(path)).toBeNull();
    }
  });

  it("carries the token in its fragment", () => {
    expect(tokenOf("#token=a.b.c")).toBe("a.b.c");
    expect(tokenOf("#token=")).toBeNull();
    expect(tokenOf("")).toBeNull();
  });

  it("loses the fragment as the token is taken", () => {
    const replaced: unknown[] = [];
    const history = { replaceState: (...args: unknown[]) => replaced.push(args[2]) };
    const location = { hash: "#token=a.b.c", pathname: `/exam/${ID}`, search: "?x=1" };
    const token = takeToken(location as Location, history as unknown as History);
    expect(token).toBe("a.b.c");
    expect(replaced).toEqual([`/exam/${ID}?x=1`]);
  });
});

describe("answers", () => {
  it("are read when they hold what the page decides by", () => {
    expect(readStatusDocument({ ...DOCUMENT, unknown: true })).toMatchObject(DOCUMENT);
  });

  it.each([
    ["state", "exploded"],
    ["revision", "3"],
    ["server_time", "noon"],
    ["ends_at", "later"],
    ["stages", null],
    ["exam", null],
  ])("are refused with a wrong %s", (field, value) => {
    expect(() => readStatusDocument({ ...DOCUMENT, [field]: value })).toThrow(UnreadableAnswer);
  });

  it("name the terminal's address and the ticket", () => {
    expect(readPageConfig({ terminal_url: "/" })).toEqual({ terminal_url: "/" });
    expect(() => readPageConfig({})).toThrow(UnreadableAnswer);
    expect(readTicket({ ticket: "t", expires_in_ms: 30 })).toEqual({
      ticket: "t",
      expires_in_ms: 30,
    });
    expect(() => readTicket([])).toThrow(UnreadableAnswer);
  });
});

describe("problems", () => {
  it("carry status, code and the pause asked for", async () => {
    const answer = new Response('{"code":"rate.limited"}', {
      status: 429,
      headers: { "retry-after": "3" },
    });
    expect(await problemOf(answer)).toMatchObject({
      status: 429,
      code: "rate.limited",
      retryAfterMs: 3000,
      isPassing: true,
      isDenial: false,
    });
  });

  it("are read from a proxy's page too", async () => {
    const problem = await problemOf(new Response("<h1>Bad gateway</h1>", { status: 502 }));
    expect(problem).toMatchObject({ status: 502, code: "unknown", isPassing: true });
  });

  it("do not believe a Retry-After that is no number of seconds", () => {
    expect(retryAfter("Wed, 21 Oct 2026 07:28:00 GMT")).toBeNull();
    expect(retryAfter("-1")).toBeNull();
    expect(retryAfter(null)).toBeNull();
  });
});
