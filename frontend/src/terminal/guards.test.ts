import { expect, it } from "vitest";
import { shownAddress } from "./guards";

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
