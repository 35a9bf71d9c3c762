import { expect, it } from "vitest";
import { frozenWords } from "./frozen-words";

it("tells a candidate whose exam cannot be recorded that it is not their fault", () => {
  expect(frozenWords("terminal.not_recorded")).toMatch(/cannot be recorded.*not your fault/i);
});

it("tells a candidate whose terminal printed more than can be recorded whom to call", () => {
  expect(frozenWords("terminal.recording_full")).toMatch(/call the supervisor.*is kept/i);
});

it("says of every other pause that what was typed is kept", () => {
  for (const key of ["terminal.frozen", "terminal.something_newer"]) {
    expect(frozenWords(key)).toBe("Typing is paused by the exam server. What you typed is kept.");
  }
});
