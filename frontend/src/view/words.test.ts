import { describe, expect, it } from "vitest";
import { nextFontSize, parsePreferences } from "./prefs";
import { causeWords, headline, stageWords } from "./words";

describe("words", () => {
  it.each([
    ["Time is up. Everything was kept.", "Time is up", "Everything was kept."],
    ["Your environment stopped.", "Your environment stopped", ""],
    ["No stop at the end", "No stop at the end", ""],
    ["Version 1.2 failed. Staff were told.", "Version 1.2 failed", "Staff were told."],
    ["Still there? Yes.", "Still there?", "Yes."],
  ])("split %j into headline and rest", (text, title, rest) => {
    expect(headline(text)).toEqual({ title, rest });
  });

  it("name a stage by what is being done until it is done", () => {
    expect(stageWords("waiting", "active")).toBe("Waiting for a place");
    expect(stageWords("waiting", "done")).toBe("Place reserved");
  });

  it("never blame the candidate for the platform or the set-up", () => {
    expect(causeWords("platform")).toContain("not you");
    expect(causeWords("environment")).toContain("not you");
  });
});

describe("saved choices", () => {
  it("survive damage", () => {
    const defaults = { theme: "system", fontSize: 14, screenReader: false };
    for (const saved of [null, "", "{", "null", '{"theme":"neon","fontSize":3,"screenReader":1}']) {
      expect(parsePreferences(saved)).toEqual(defaults);
    }
    expect(parsePreferences('{"theme":"dark","fontSize":18,"screenReader":true}')).toEqual({
      theme: "dark",
      fontSize: 18,
      screenReader: true,
    });
  });

  it("keep the text size within its steps", () => {
    expect(nextFontSize(14, 1)).toBe(15);
    expect(nextFontSize(28, 1)).toBe(28);
    expect(nextFontSize(10, -1)).toBe(10);
  });
});
