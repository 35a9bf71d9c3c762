import { describe, expect, it } from "vitest";
import { keyAction } from "./keys";

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
    ["Escape", "Escape", "cs", "leave"],
    ["KeyC", "c", "m", "copy"],
    ["KeyV", "v", "m", "paste"],
  ])("%s with %s held %s is %s", (code, key, held, action) => {
    expect(keyAction(chord(code, key, held))).toBe(action);
  });

  it.each([
    ["KeyC", "c", "c"],
    ["KeyV", "v", "c"],
    ["Escape", "Escape", ""],
    ["Escape", "Escape", "s"],
    ["Tab", "Tab", ""],
    ["KeyW", "w", "c"],
    ["KeyC", "C", "csa"],
  ])("%s (%s) held %s stays the shell's", (code, key, held) => {
    expect(keyAction(chord(code, key, held))).toBeNull();
  });
});
