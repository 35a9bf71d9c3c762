import { describe, expect, it } from "vitest";
import { KeyToPaint } from "./latency";

describe("the time from key to paint", () => {
  it("ends with the first drawing after output, not with a blink", () => {
    const latency = new KeyToPaint();
    latency.typed(100);
    expect(latency.drawn(104)).toBeNull();
    latency.parsed();
    expect(latency.drawn(130)).toBe(30);
    expect(latency.medianMs).toBe(30);
    expect(latency.drawn(140)).toBeNull();
  });

  it("counts from the first of several keys", () => {
    const latency = new KeyToPaint();
    latency.typed(100);
    latency.typed(120);
    latency.parsed();
    expect(latency.drawn(125)).toBe(25);
  });

  it("is the median of the last keys, so that one hiccup is not the figure", () => {
    const latency = new KeyToPaint();
    expect(latency.medianMs).toBeNull();
    for (const span of [...Array.from({ length: 40 }, () => 10), 900]) {
      latency.typed(0);
      latency.parsed();
      latency.drawn(span);
    }
    expect(latency.medianMs).toBe(10);
  });

  it("measures nothing over a break, and nothing that nobody typed", () => {
    const latency = new KeyToPaint();
    latency.typed(100);
    latency.forget();
    latency.parsed();
    expect(latency.drawn(9_000)).toBeNull();
    expect(latency.medianMs).toBeNull();
  });
});
