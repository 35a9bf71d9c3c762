import { beforeEach, describe, expect, it } from "vitest";
import type { Welcome } from "./frames";
import { PrintedOutput } from "./printed";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const welcome = (epoch: number, replay_from: number): Welcome => ({
  epoch,
  replay_from,
  out_off: 0,
  in_off: 0,
  window: 1024,
  input_window: 1024,
  max_frame: 1024,
  ping_ms: 5_000,
  remaining_ms: null,
  mode: "interactive",
});
const mark = (which: "begin" | "end", truncated = false) =>
  ({ type: "replay", mark: which, from: 0, to: 0, truncated }) as const;

let drawn: string[];
let acknowledged: number[];
let output: PrintedOutput;
let due: (() => void) | null;

beforeEach(() => {
  drawn = [];
  acknowledged = [];
  const screen = {
    size: () => ({ cols: 80, rows: 24 }),
    write: (piece: Uint8Array, parsed: () => void) => {
      drawn.push(new TextDecoder().decode(piece));
      parsed();
    },
    reset: () => drawn.push("<reset>"),
    mute: () => drawn.push("<mute>"),
    unmuteWhenParsed: () => drawn.push("<unmute>"),
  };
  const acknowledge = (offset: number): void => void acknowledged.push(offset);
  due = null;
  output = new PrintedOutput(screen, acknowledge, (action) => {
    due = action;
    return () => {
      due = null;
    };
  });
});

describe("output over connections", () => {
  it("goes on where it was, and what comes twice is drawn once", () => {
    expect(output.resume).toBeNull();
    output.begin(welcome(1, 0));
    output.print(bytes("abcdef"));
    due?.();
    output.end();
    expect(output.resume).toEqual({ epoch: 1, out_off: 6 });
    expect(output.begin(welcome(1, 4))).toBe(true);
    output.print(bytes("e"));
    output.print(bytes("fg"));
    due?.();
    expect(drawn.join("")).toBe("abcdefg");
    expect(acknowledged).toEqual([6, 7]);
    expect(output.resume).toEqual({ epoch: 1, out_off: 7 });
  });

  it("acknowledges on a connection only what came over it", () => {
    const parses: (() => void)[] = [];
    const slow = {
      size: () => ({ cols: 80, rows: 24 }),
      write: (_piece: Uint8Array, parsed: () => void) => parses.push(parsed),
      reset: () => undefined,
      mute: () => undefined,
      unmuteWhenParsed: () => undefined,
    };
    const acknowledge = (to: number): void => void acknowledged.push(to);
    const late = new PrintedOutput(slow, acknowledge, (action) => {
      action();
      return () => undefined;
    });
    late.begin(welcome(1, 0));
    late.print(bytes("abcdef"));
    late.end();
    parses.shift()?.();
    expect(acknowledged).toEqual([]);
    late.begin(welcome(1, 4));
    late.print(bytes("ef"));
    parses.shift()?.();
    expect(acknowledged).toEqual([6]);
  });

  it("of another shell begins on a clean screen", () => {
    output.begin(welcome(1, 0));
    output.print(bytes("old"));
    expect(output.begin(welcome(2, 0))).toBe(false);
    output.print(bytes("new"));
    expect(drawn).toEqual(["old", "<reset>", "new"]);
  });

  it("is mute while it is replayed, also when the connection breaks within", () => {
    output.begin(welcome(1, 0));
    output.replay(mark("begin"));
    output.print(bytes("x"));
    output.replay(mark("end"));
    output.replay(mark("begin"));
    output.end();
    expect(drawn).toEqual(["<mute>", "x", "<unmute>", "<mute>", "<unmute>"]);
  });

  it("that lost its beginning is drawn on a clean screen", () => {
    output.begin(welcome(1, 0));
    output.print(bytes("abcdef"));
    output.begin(welcome(1, 4));
    output.replay(mark("begin", true));
    output.print(bytes("ef"));
    output.replay(mark("end", true));
    expect(drawn).toEqual(["abcdef", "<reset>", "<mute>", "ef", "<unmute>"]);
  });

  it("that is forgotten is not asked to go on", () => {
    output.begin(welcome(1, 0));
    output.print(bytes("abc"));
    output.forget();
    expect(output.resume).toBeNull();
    output.begin(welcome(1, 0));
    expect(drawn).toEqual(["abc", "<reset>"]);
  });
});
