import { describe, expect, it } from "vitest";
import { bracketPaste, pasteConcern, sanitisePaste } from "./paste";

describe("pasting", () => {
  it.each([
    ["an end marker", "safe\u001b[201~rm -rf ~\r"],
    ["a C1 end marker", "safe\u009b201~rm -rf ~\r"],
    ["an end marker in pieces", "\u001b\u001b[201~[201~x"],
    ["escape sequences", "\u001b]52;c;Zm9v\u0007\u001b[2J"],
    [
      "every control character",
      Array.from({ length: 160 }, (_, at) => String.fromCharCode(at)).join(""),
    ],
  ])("cannot break out of brackets by %s", (_name, hostile) => {
    const pasted = bracketPaste(sanitisePaste(hostile), true);
    expect(pasted.startsWith("\u001b[200~")).toBe(true);
    expect(pasted.endsWith("\u001b[201~")).toBe(true);
    const inside = pasted.slice(6, -6);
    expect(inside).not.toContain("\u001b");
    for (const letter of inside) {
      const code = letter.charCodeAt(0);
      expect(code === 9 || code === 13 || (code >= 32 && code < 127) || code > 159).toBe(true);
    }
  });

  it("turns every kind of newline into the Return key", () => {
    expect(sanitisePaste("a\r\nb\nc\rd")).toBe("a\rb\rc\rd");
  });

  it("keeps tabs, accents and emoji", () => {
    expect(sanitisePaste("\tnaïve 🎓")).toBe("\tnaïve 🎓");
  });

  it("removes bidirectional overrides, which show one command and run another", () => {
    expect(sanitisePaste("a\u202eb\u2066c")).toBe("abc");
  });

  it("asks before several lines where the shell would run them, and before a large text", () => {
    expect(pasteConcern("a\rb", false)).toBe("lines");
    expect(pasteConcern("a\rb", true)).toBeNull();
    expect(pasteConcern("a", false)).toBeNull();
    expect(pasteConcern("x".repeat(5000), true)).toBe("large");
  });
});
