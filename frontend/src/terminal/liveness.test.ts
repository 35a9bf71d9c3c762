import { describe, expect, it } from "vitest";
import { Liveness } from "./liveness";

describe("liveness", () => {
  it("measures the round trip of its own pings only", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    const ping = liveness.ping(100);
    liveness.pong(ping + 5n, 900, 101);
    expect(liveness.roundTripMs).toBeNull();
    expect(liveness.legMs).toBeNull();
    liveness.pong(ping, 210, 104);
    expect(liveness.roundTripMs).toBe(4);
    expect(liveness.legMs).toBe(0.21);
  });

  it("says nothing of the server's leg where the server does not", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    liveness.pong(liveness.ping(1), 0, 2);
    expect(liveness.legMs).toBeNull();
  });

  it("knows the age of the last byte while there is no connection", () => {
    const liveness = new Liveness();
    expect(liveness.ageMs(5)).toBeNull();
    liveness.begin(10);
    liveness.heard(100);
    expect(liveness.ageMs(7_100)).toBe(7_000);
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

  it("says nothing of the silence of a hidden page, which asked for no byte", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    liveness.pong(liveness.ping(0), 0, 2);
    liveness.ping(60_000);
    expect(liveness.quietMs(60_000)).toBeNull();
    expect(liveness.quietMs(66_999)).toBeNull();
    expect(liveness.quietMs(67_000)).toBe(67_000);
  });

  it("never takes a quiet connection without a ping for dead", () => {
    const liveness = new Liveness();
    liveness.begin(0);
    expect(liveness.isDead(1_000_000)).toBe(false);
    expect(liveness.quietMs(1_000_000)).toBeNull();
  });
});
