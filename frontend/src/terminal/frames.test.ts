import { describe, expect, it } from "vitest";
import { type ClientFrame, decodeFrame, encodeFrame, FrameError } from "./frames";

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const bytes = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const withJson = (type: number, body: unknown): Uint8Array =>
  new Uint8Array([type, ...new TextEncoder().encode(JSON.stringify(body))]);

describe("frames the page sends", () => {
  const cases: readonly [string, ClientFrame, string][] = [
    ["input", { type: "input", offset: 258, bytes: bytes("6c730d") }, "0200000000000001026c730d"],
    ["resize", { type: "resize", cols: 80, rows: 24 }, "0300500018"],
    ["ack", { type: "ack", offset: 2 ** 40 + 1 }, "040000010000000001"],
    ["ping", { type: "ping", opaque: 0xfedcba9876543210n }, "05fedcba9876543210"],
    ["detach, shell kept", { type: "detach", endShell: false }, "0600"],
    ["detach, shell ended", { type: "detach", endShell: true }, "0601"],
  ];
  it.each(cases)("writes %s byte for byte", (_name, frame, expected) => {
    expect(hex(encodeFrame(frame))).toBe(expected);
  });

  it("writes hello as its type byte and a JSON object", () => {
    const resume = { epoch: 2, out_off: 10, in_off: 3 };
    const message = encodeFrame({
      type: "hello",
      ticket: "t",
      cols: 80,
      rows: 24,
      resume,
      page: "p",
      attach: 4,
      caps: [],
    });
    expect(message[0]).toBe(1);
    expect(JSON.parse(new TextDecoder().decode(message.subarray(1)))).toEqual({
      ticket: "t",
      cols: 80,
      rows: 24,
      resume,
      page: "p",
      attach: 4,
      caps: [],
    });
  });
});

describe("frames the server sends", () => {
  it("reads output without copying or decoding it", () => {
    const message = bytes("82c3");
    expect(decodeFrame(message)).toEqual({ type: "output", bytes: bytes("c3") });
  });

  it("reads replay marks", () => {
    expect(decodeFrame(bytes("8300000000000000001000000000000000ff01"))).toEqual({
      type: "replay",
      mark: "begin",
      from: 16,
      to: 255,
      truncated: true,
    });
    expect(decodeFrame(bytes("8301000000000000001000000000000000ff00"))).toMatchObject({
      mark: "end",
      truncated: false,
    });
  });

  it("reads input acknowledgements and pongs", () => {
    expect(decodeFrame(bytes("84000000000000000900010000"))).toEqual({
      type: "input_ack",
      offset: 9,
      credit: 65536,
    });
    expect(decodeFrame(bytes("85fedcba9876543210000000d2"))).toEqual({
      type: "pong",
      opaque: 0xfedcba9876543210n,
      legMicros: 210,
    });
  });

  it("reads a frame that does not begin at its buffer's begin", () => {
    const message = bytes("ffff84000000000000000900010000").subarray(2);
    expect(decodeFrame(message)).toMatchObject({ offset: 9, credit: 65536 });
  });

  it("reads the JSON frames", () => {
    const exit = { code: 0, signal: null, reason: "shell_exited" };
    expect(decodeFrame(withJson(0x87, exit))).toEqual({ type: "exit", exit });
    const notice = { code: "frozen", text: "frozen", args: {} };
    expect(decodeFrame(withJson(0x86, notice))).toEqual({ type: "notice", notice });
  });

  it("skips types of later versions and refuses unknown older ones", () => {
    expect(decodeFrame(bytes("c000"))).toEqual({ type: "ignored", frameType: 0xc0 });
    expect(() => decodeFrame(bytes("8800"))).toThrow(FrameError);
    expect(() => decodeFrame(bytes("0100"))).toThrow(FrameError);
  });

  it.each([
    ["an empty message", ""],
    ["a short replay", "8300"],
    ["a long acknowledgement", "8400000000000000090001000000"],
    ["a replay flag of two", "8302000000000000001000000000000000ff00"],
    ["an offset beyond exact numbers", "84ffffffffffffffff00000000"],
    ["JSON that is none", "817b"],
    ["JSON that is a list", "815b5d"],
  ])("refuses %s", (_name, message) => {
    expect(() => decodeFrame(bytes(message))).toThrow(FrameError);
  });

  it("never quotes what a malformed frame held", () => {
    try {
      decodeFrame(new TextEncoder().encode("\u0081secret-canary"));
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain("canary");
    }
  });
});
