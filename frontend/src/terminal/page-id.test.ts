import { expect, it } from "vitest";
import { drawPageId } from "./page-id";

it("draws a UUID of its own for each page", () => {
  const drawn = Array.from({ length: 100 }, drawPageId);
  expect(new Set(drawn).size).toBe(100);
  const form = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  expect(drawn.filter((id) => !form.test(id))).toEqual([]);
});
