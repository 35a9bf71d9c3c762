import { expect, it } from "vitest";
import { notArrivedWords } from "./not-arrived";

it.each([
  [0, ""],
  [1, "The last character you typed may not have arrived."],
  [12, "The last 12 characters you typed may not have arrived."],
])("says of %i typed characters how many may not have arrived", (characters, words) => {
  expect(notArrivedWords(characters)).toBe(words);
});
