import { describe, expect, it } from "vitest";
import { charactersIn, safeCut } from "./cut";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What typing can hold, each to stay in one piece. */
const UNITS: readonly (readonly [name: string, unit: string])[] = [
  ["a letter with an accent", "é"],
  ["a letter of three bytes", "€"],
  ["an emoji", "🎓"],
  ["an arrow", "\u001b[A"],
  ["an arrow with Ctrl", "\u001b[1;5D"],
  ["an arrow in application mode", "\u001bOB"],
  ["a function key", "\u001b[15~"],
  ["Alt with a letter", "\u001bf"],
  ["Alt with an accented letter", "\u001bé"],
  ["the begin of a bracketed paste", "\u001b[200~"],
  ["the end of a bracketed paste", "\u001b[201~"],
  ["a mouse report", "\u001b[<0;132;47M"],
  ["an old mouse report", "\u001b[M !!"],
  ["the cursor's place", "\u001b[24;80R"],
  ["a colour", "\u001b]11;rgb:ffff/ffff/ffff\u001b\\"],
  ["a setting", "\u001bP1$r0m\u001b\\"],
];

describe("parting typed bytes", () => {
  it.each(UNITS)("never parts %s, at any of its bytes", (_name, unit) => {
    const before = bytes("ls -l ");
    const whole = bytes(`ls -l ${unit}tail`);
    const end = before.length + bytes(unit).length;
    for (let at = before.length + 1; at < end; at += 1) {
      expect(safeCut(whole, at), `at ${at}`).toBe(before.length);
    }
    expect(safeCut(whole, before.length)).toBe(before.length);
    expect(safeCut(whole, end)).toBe(end);
    expect(safeCut(whole, end + 1)).toBe(end + 1);
  });

  it("takes everything where there is room for it", () => {
    expect(safeCut(bytes("abc"), 3)).toBe(3);
    expect(safeCut(bytes("abc"), 100)).toBe(3);
    expect(safeCut(bytes("\u001b[20"), 100)).toBe(4);
  });

  it("goes on where bytes are no text and where a sequence never ends", () => {
    const raw = new Uint8Array(200).fill(0x80);
    expect(safeCut(raw, 100)).toBe(100);
    const endless = bytes(`\u001b]${"x".repeat(200)}`);
    expect(safeCut(endless, 100)).toBe(100);
    expect(safeCut(endless, 10)).toBeLessThanOrEqual(10);
  });
});

describe("counting typed characters", () => {
  it.each([
    ["", 0],
    ["ls -l\r", 6],
    ["é€🎓", 3],
    ["\u001b[A\u001bOB\u001b[1;5D", 0],
    ["\u001b[200~two\rlines\u001b[201~", 9],
    ["\u001b]11;rgb:ffff/ffff/ffff\u001b\\x", 1],
    ["\u0003", 1],
    ["a\u001b", 1],
  ])("finds in %j as many as a person does", (text, count) => {
    expect(charactersIn(bytes(text))).toBe(count);
  });
});
