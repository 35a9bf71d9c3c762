import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff";
import { formatCountdown, remainingMs, urgencyOf, warningCrossed } from "./countdown";
import { ServerClock, SleepWatch } from "./server-clock";
import { durationWords, elapsedWords } from "./words";

const MINUTE = 60_000;

describe("the server's clock", () => {
  it("is taken from the middle of the round trip", () => {
    const clock = new ServerClock();
    clock.observe({ serverTime: 10_000, sentAt: 0, receivedAt: 200 });
    expect(clock.at(200)).toBe(10_100);
    expect(clock.errorAt(200)).toBe(100);
  });

  it("is unknown before the first reading", () => {
    expect(new ServerClock().at(5)).toBeNull();
  });

  it("is not spoiled by a later, slower reading", () => {
    const clock = new ServerClock();
    clock.observe({ serverTime: 10_000, sentAt: 0, receivedAt: 20 });
    clock.observe({ serverTime: 11_900, sentAt: 1_000, receivedAt: 3_000 });
    expect(clock.at(3_000)).toBe(12_990);
  });

  it("takes a slower reading once this computer may have drifted further", () => {
    const clock = new ServerClock();
    clock.observe({ serverTime: 0, sentAt: 0, receivedAt: 20 });
    const hour = 3_600_000;
    clock.observe({ serverTime: hour + 300, sentAt: hour, receivedAt: hour + 200 });
    expect(clock.at(hour + 200)).toBe(hour + 400);
  });

  it("follows a server whose clock was set, whatever the reading's quality", () => {
    const clock = new ServerClock();
    clock.observe({ serverTime: 10_000, sentAt: 0, receivedAt: 2 });
    clock.observe({ serverTime: 70_000, sentAt: 1_000, receivedAt: 1_400 });
    expect(clock.at(1_400)).toBe(70_200);
  });

  it("does not let a reading taken backwards make a negative error", () => {
    const clock = new ServerClock();
    clock.observe({ serverTime: 10_000, sentAt: 5, receivedAt: 4 });
    expect(clock.errorAt(4)).toBe(0);
  });
});

describe("sleep", () => {
  it("is noticed when wall and monotonic time part", () => {
    const watch = new SleepWatch();
    expect(watch.parted(0, 1_000_000)).toBe(false);
    expect(watch.parted(200, 1_000_210)).toBe(false);
    expect(watch.parted(400, 1_600_400)).toBe(true);
    expect(watch.parted(600, 1_600_600)).toBe(false);
  });
});

describe("the countdown", () => {
  it("counts a begun second as whole and never goes below zero", () => {
    expect(formatCountdown(5_263_000)).toBe("01:27:43");
    expect(formatCountdown(1)).toBe("00:00:01");
    expect(formatCountdown(0)).toBe("00:00:00");
    expect(formatCountdown(100 * 3_600_000)).toBe("100:00:00");
    expect(remainingMs("1970-01-01T00:00:01Z", 5_000)).toBe(0);
    expect(remainingMs("1970-01-01T00:00:05Z", 2_000)).toBe(3_000);
    expect(remainingMs(null, 0)).toBeNull();
    expect(remainingMs("1970-01-01T00:00:05Z", null)).toBeNull();
  });

  it("is calm until five minutes and alone in the last one", () => {
    expect(urgencyOf(5 * MINUTE + 1)).toBe("calm");
    expect(urgencyOf(5 * MINUTE)).toBe("soon");
    expect(urgencyOf(MINUTE)).toBe("last");
  });

  it.each([
    ["crossing fifteen", 15 * MINUTE + 100, 15 * MINUTE - 100, 15],
    ["arriving exactly", 5 * MINUTE + 1, 5 * MINUTE, 5],
    ["between", 14 * MINUTE, 13 * MINUTE, null],
    ["joining late", null, 14 * MINUTE, null],
    ["waking after a sleep", 40 * MINUTE, 4 * MINUTE, 5],
    ["an extension", 4 * MINUTE, 14 * MINUTE, null],
    ["the end itself", 2 * MINUTE, 0, null],
  ])("warns once: %s", (_name, before, after, minutes) => {
    expect(warningCrossed(before, after)).toBe(minutes);
  });
});

describe("words for time", () => {
  it.each([
    [90 * MINUTE, "1 hour 30 minutes"],
    [10 * MINUTE, "10 minutes"],
    [MINUTE, "1 minute"],
    [45_000, "45 seconds"],
    [65_000, "1 minute 5 seconds"],
    [0, "0 seconds"],
    [2 * 60 * MINUTE, "2 hours"],
  ])("%i ms is %s", (ms, words) => {
    expect(durationWords(ms)).toBe(words);
  });

  it.each([
    [730, "0.7 s"],
    [9_949, "9.9 s"],
    [42_900, "42 s"],
    [65_000, "1 min 05 s"],
    [-5, "0.0 s"],
  ])("%i ms elapsed is %s", (ms, words) => {
    expect(elapsedWords(ms)).toBe(words);
  });
});

describe("back-off", () => {
  it("draws from the whole window, which doubles up to the cap", () => {
    expect(backoffMs(0, 0)).toBe(0);
    expect(backoffMs(0, 0.9999)).toBeLessThanOrEqual(250);
    expect(backoffMs(3, 0.5)).toBe(1000);
    expect(backoffMs(50, 1)).toBe(10_000);
  });
});
