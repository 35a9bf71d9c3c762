import { expect, it } from "vitest";
import { holdClock } from "../../dev/mock-status.mjs";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const MINUTE = 60_000;
const ahead = (ms) => new Date(Date.now() + ms).toISOString();

it("the ended page says that it has ended, and no longer that one can type", async () => {
  const on = await (await open()).connected();
  await on.says(/Connected\. You can type\./);
  on.change({
    state: "terminated",
    ended_at: ahead(0),
    can_attach: false,
    can_end: false,
    ending: { kind: "time_expired", text: "Time is up. Kept.", at: ahead(0), by: "system" },
  });
  await on.page.getByRole("heading", { level: 1, name: "Time is up" }).waitFor();
  await on.says(/^Time is up$/);
  expect((await on.said()).join()).not.toContain("You can type");
  await on.close();
});

it("while the connection is lost, nothing says that one can type", async () => {
  const on = await (await open()).connected();
  on.terminal.takes = false;
  await on.terminal.close(1011);
  await on.says(/^Reconnecting\./);
  expect((await on.said()).join()).not.toContain("You can type");
  on.terminal.takes = true;
  await on.says(/^Connected\. You can type\.$/);
  await on.close();
});

it("what was said is gone when it is no news any more", async () => {
  const on = await (await open()).connected();
  await on.says(/Connected/);
  await expect.poll(() => on.said(), SOON).toEqual([]);
  await on.close();
});

it("each warning is told once, and once more where an extension brings it back", async () => {
  const on = await (await open()).connected();
  on.change({ ends_at: ahead(14 * MINUTE) });
  const note = on.page.locator(".note", { hasText: /minutes left\.$/ });
  await expect.poll(() => note.allTextContents(), SOON).toEqual(["15 minutes left."]);
  await on.says(/15 minutes left\./);

  const extension = { by_ms: 10 * MINUTE, by: "staff", at: ahead(0) };
  on.change({ ends_at: ahead(25 * MINUTE), extended_ms: 10 * MINUTE, last_extension: extension });
  await on.says(/^10 minutes added by staff\.$/);
  on.change({ ends_at: ahead(14 * MINUTE) });
  await on.says(/^15 minutes left\.$/);
  await on.close();
});

it("the ending names who ended it as the server does", async () => {
  const on = await (await open()).connected();
  on.change({
    state: "terminated",
    ended_at: ahead(0),
    ending: { kind: "operator_ended", text: "Ended by exam staff.", at: ahead(0), by: "staff" },
  });
  await on.page.getByRole("heading", { level: 1, name: "Ended by exam staff" }).waitFor();
  const facts = on.page.locator("main .facts");
  expect(await facts.textContent()).toMatch(/Ended by\s*Exam staff/);
  await on.close();
});

it("half an hour, a quarter, five minutes and the last one are told as the clock falls through", async () => {
  const on = await (await open({ ownClock: true })).connected();
  const { clock } = on.page;
  const time = on.page.getByRole("timer", { name: "Time left" });
  // From here on nothing passes but what is let pass, at the server as in the page.
  holdClock();
  await on.stopClock();
  const pass = async (ms) => {
    holdClock(ms);
    await clock.fastForward(ms);
  };
  const left = async () => {
    const [hours, minutes, seconds] = (await time.textContent()).split(":").map(Number);
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000;
  };
  const told = async () => {
    const heard = await on.page.evaluate(() => window.heard);
    return heard.filter((text) => /minutes? left\.$/.test(text));
  };
  const due = [];
  for (const minutes of [30, 15, 5, 1]) {
    await pass((await left()) - minutes * MINUTE - 20_000);
    // Whatever is due to be said by now is.
    await clock.runFor(5_000);
    expect(await told()).toEqual(due);
    await pass(20_000);
    due.push(minutes === 1 ? "1 minute left." : `${minutes} minutes left.`);
    await expect
      .poll(async () => {
        await clock.runFor(500);
        return told();
      }, SOON)
      .toEqual(due);
    expect(await left()).toBeLessThanOrEqual(minutes * MINUTE);
  }
  expect(await on.page.locator(".countdown").getAttribute("data-urgency")).toBe("last");
  await on.close();
});
