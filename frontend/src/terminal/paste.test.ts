import { describe, expect, it } from "vitest";
import { bracketPaste, pasteConcern, sanitisePaste } from "./paste";

const ESC = "\u001b";
const CSI = "\u009b";
const END = `${ESC}[201~`;

/** Texts that would leave a bracketed paste if they were pasted as they are. */
const BREAKOUTS: readonly (readonly [name: string, hostile: string, pasted: string])[] = [
  ["an end marker", `safe${END}rm -rf ~\r`, "safe[201~rm -rf ~\r"],
  ["two end markers", `${END}${END}x`, "[201~[201~x"],
  ["an end marker within an end marker", `${ESC}[20${END}1~x`, "[20[201~1~x"],
  ["an end marker that forms when its inside goes", `${ESC}${ESC}[201~[201~x`, "[201~[201~x"],
  ["an end marker parted by a removed control", `${ESC}\u0000[201~x`, "[201~x"],
  ["an end marker parted by DEL", `${ESC}[2\u007f01~x`, "[201~x"],
  ["an end marker parted by a soft newline", `${ESC}[20\n1~x`, "[20\r1~x"],
  ["begin and end markers", `${ESC}[200~x${END}`, "[200~x[201~"],
  ["an end marker with leading zeros", `${ESC}[0201~x`, "[0201~x"],
  ["an end marker with parameters", `${ESC}[201;1~x`, "[201;1~x"],
  ["the 8-bit CSI", `${CSI}201~x`, "201~x"],
  ["the 8-bit CSI parted by NUL", `${CSI}\u00002\u000001~x`, "201~x"],
  ["both forms at once", `${ESC}${CSI}201~x`, "201~x"],
  ["the 8-bit CSI read as Latin-1 from UTF-8", "\u00c2\u009b201~x", "\u00c2201~x"],
  ["the 8-bit string starters", "\u0090\u009d\u0098\u009e\u009fx\u009c", "x"],
  ["an operating system command", `${ESC}]52;c;Zm9v\u0007x`, "]52;c;Zm9vx"],
  ["a reset", `${ESC}cx`, "cx"],
  ["a switch of bracketed paste", `${ESC}[?2004lx\r`, "[?2004lx\r"],
  ["flow control, interrupt and end of file", "\u0003\u0004\u0011\u0013\u001ax", "x"],
  ["quoting and completion of readline", "\u0016\u0012\u000fx", "x"],
  ["a backspace over what was shown", "ls\u0008\u0008rm", "lsrm"],
  ["NUL", "a\u0000b", "ab"],
  ["DEL", "a\u007fb", "ab"],
  ["vertical tab and form feed", "a\u000b\u000cb", "ab"],
  ["the newline of C1", "a\u0085b", "ab"],
  ["a lone surrogate before a marker", `\ud800${END}x`, "\ud800[201~x"],
];

describe("pasting", () => {
  it.each(BREAKOUTS)("cannot break out of brackets by %s", (_name, hostile, expected) => {
    const pasted = bracketPaste(sanitisePaste(hostile), true);
    expect(pasted).toBe(`${ESC}[200~${expected}${END}`);
    expect(pasted.indexOf(END)).toBe(pasted.length - END.length);
  });

  it("lets no control character through but tab and Return", () => {
    const every = Array.from({ length: 0x100 }, (_, at) => String.fromCharCode(at)).join("");
    const kept = sanitisePaste(every.replace("\n", ""));
    const controls = Array.from(kept).filter((letter) => /\p{Cc}/u.test(letter));
    expect(controls).toEqual(["\t", "\r"]);
    expect(kept).toHaveLength(95 + 96 + 2);
  });

  it("is harmless already when it is sanitised once", () => {
    for (const [, hostile] of BREAKOUTS) {
      const once = sanitisePaste(hostile);
      expect(sanitisePaste(once)).toBe(once);
    }
  });

  it.each([
    ["a\nb", "a\rb"],
    ["a\r\nb", "a\rb"],
    ["a\rb", "a\rb"],
    ["a\n\nb", "a\r\rb"],
    ["a\r\n\r\nb", "a\r\rb"],
    ["a\r\r\nb", "a\r\rb"],
    ["a\n\rb", "a\r\rb"],
    ["a\r\nb\nc\rd\n", "a\rb\rc\rd\r"],
  ])("turns the newlines of %j into the Return key", (text, expected) => {
    expect(sanitisePaste(text)).toBe(expected);
  });

  it("keeps tabs, accents and emoji", () => {
    expect(sanitisePaste("\tnaïve 🎓")).toBe("\tnaïve 🎓");
  });

  it("removes bidirectional overrides, which show one command and run another", () => {
    expect(sanitisePaste("a\u202eb\u2066c")).toBe("abc");
  });
});

describe("a paste is confirmed first", () => {
  it.each([
    ["several lines that the shell would run", "a\rb", false, "lines"],
    ["one line with its Return", "a\r", false, "lines"],
    ["several lines within brackets", "a\rb", true, null],
    ["one line without Return", "a", false, null],
    ["4 KiB", "x".repeat(4096), true, null],
    ["more than 4 KiB", "x".repeat(4097), true, "large"],
    ["more than 4 KiB in fewer letters", "é".repeat(2049), true, "large"],
    ["many lines without brackets", "x\r".repeat(4096), false, "lines"],
  ] as const)("%s", (_name, text, bracketed, concern) => {
    expect(pasteConcern(text, bracketed)).toBe(concern);
  });
});
