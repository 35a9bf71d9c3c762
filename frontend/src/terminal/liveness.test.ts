import { describe, expect, it } from "vitest";
import { Liveness } from "./liveness";

describe("liveness", () => {
  it("measures the round trip of its own pings only", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    const ping = liveness.ping(100);
    liveness.pong(ping + 5n, 101);
    expect(liveness.roundTripMs).toBeNull();
    liveness.pong(ping, 104);
    expect(liveness.roundTripMs).toBe(4);
  });

  it("takes a connection for dead when a ping stays unanswered for 15 s", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    liveness.ping(0);
    expect(liveness.isDead(14_999)).toBe(false);
    expect(liveness.isDead(15_000)).toBe(true);
  });

  it("counts any byte as life", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    liveness.ping(0);
    liveness.heard(14_000);
    expect(liveness.isDead(20_000)).toBe(false);
    expect(liveness.quietMs(20_000)).toBeNull();
    expect(liveness.quietMs(22_000)).toBe(8_000);
  });

  it("never takes a quiet connection without a ping for dead", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    expect(liveness.isDead(1_000_000)).toBe(false);
    expect(liveness.quietMs(1_000_000)).toBeNull();
  });
});
