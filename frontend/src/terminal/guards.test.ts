import type { Terminal } from "@xterm/xterm";
import { expect, it } from "vitest";
import { guardAgainstOutput, shownAddress } from "./guards";

it("titles, clipboards, notifications and files are taken before anything else could", () => {
  const handlers = new Map<number, (data: string) => boolean | Promise<boolean>>();
  const registerOscHandler = (code: number, handler: (data: string) => boolean): void => {
    handlers.set(code, handler);
  };
  guardAgainstOutput({ parser: { registerOscHandler } } as unknown as Terminal);
  for (const code of [0, 1, 2, 7, 9, 52, 99, 777, 1337, 5522]) {
    expect(handlers.get(code)?.("c;?"), `OSC ${code}`).toBe(true);
  }
  // Colours and links are the grid's own.
  for (const code of [4, 8, 10, 11, 12, 104]) expect(handlers.has(code)).toBe(false);
});

it.each([
  ["https://example.org/a?b=c#d", "https://example.org/a?b=c#d"],
  ["https://bücher.example/", "https://bücher.example/"],
  ["https://a\u202egro.evil", "https://a[U+202E]gro.evil"],
  ["https://a\u200bb\u00adc", "https://a[U+200B]b[U+00AD]c"],
  ["https://a b\nc", "https://a[U+0020]b[U+000A]c"],
])("the address %j is shown as %j", (address, shown) => {
  expect(shownAddress(address)).toBe(shown);
});

it("a long address is shown by its beginning, which names where it goes", () => {
  const shown = shownAddress(`https://example.org/${"x".repeat(10_000)}`);
  expect(shown).toHaveLength(201);
  expect(shown.startsWith("https://example.org/xxx")).toBe(true);
});
