import { describe, expect, it } from "vitest";
import { keyAction, leaveKeys } from "./keys";

const chord = (code: string, key: string, held: string): Parameters<typeof keyAction>[0] => ({
  code,
  key,
  ctrlKey: held.includes("c"),
  shiftKey: held.includes("s"),
  altKey: held.includes("a"),
  metaKey: held.includes("m"),
});

describe("keys the page takes from the shell", () => {
  it.each([
    ["KeyC", "C", "cs", "copy"],
    ["KeyV", "V", "cs", "paste"],
    ["KeyF", "F", "cs", "find"],
    ["Escape", "Escape", "cs", "leave"],
    ["KeyL", "L", "cs", "leave"],
    ["KeyF", "f", "m", "find"],
    ["KeyC", "c", "m", "copy"],
    ["KeyV", "v", "m", "paste"],
  ])("%s with %s held %s is %s", (code, key, held, action) => {
    expect(keyAction(chord(code, key, held))).toBe(action);
  });

  it.each([
    ["KeyC", "c", "c"],
    ["KeyV", "v", "c"],
    ["KeyF", "f", "c"],
    ["KeyL", "l", "c"],
    ["KeyL", "l", "m"],
    ["Escape", "Escape", ""],
    ["Escape", "Escape", "s"],
    ["Tab", "Tab", ""],
    ["KeyW", "w", "c"],
    ["KeyC", "C", "csa"],
  ])("%s (%s) held %s stays the shell's", (code, key, held) => {
    expect(keyAction(chord(code, key, held))).toBeNull();
  });
});

it.each([
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "L"],
  ["Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", "L"],
  ["Mozilla/5.0 (X11; Linux x86_64)", "Esc"],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "Esc"],
])("the way out of the grid on %s ends with %s", (platform, last) => {
  expect(leaveKeys(platform).at(-1)).toBe(last);
});
