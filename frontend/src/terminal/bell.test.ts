import { expect, it } from "vitest";
import { BellLimit } from "./bell";

it("a flood of rings is told once in two seconds", () => {
  const limit = new BellLimit();
  const told = Array.from({ length: 4_100 }, (_, at) => limit.tells(at)).filter(Boolean);
  expect(told).toHaveLength(3);
});
