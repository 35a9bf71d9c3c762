// The end by the clock in a real browser against the real processes. The link must be of a session
// that nobody has started, of an exam that lasts a little more than a minute; otherwise as
// exam.spec.mjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { flags, SOON_MS, Tab, trusting, watch } from "./tab.mjs";

const LINK = process.env.CARREL_E2E_LINK;
const SCREENSHOTS = process.env.CARREL_E2E_SCREENSHOTS;
const CHROMIUM = process.env.CARREL_E2E_CHROMIUM ?? "/usr/bin/chromium";

const READY_WITHIN_MS = 200_000;
const LAUNCHED_WITHIN_MS = 180_000;
/** The exam's own time, and what the end takes on a busy machine. */
const OVER_WITHIN_MS = 180_000;

test("the time runs out under a candidate who types", { timeout: 540_000 }, async (t) => {
  assert.ok(LINK, "CARREL_E2E_LINK is not set");
  const args = [...flags, trusting(LINK)];
  const how = { executablePath: CHROMIUM, args, timeout: LAUNCHED_WITHIN_MS };
  const browser = await chromium.launch(how);
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(SOON_MS);
  const faults = await watch(context);
  const tab = new Tab(await context.newPage(), SCREENSHOTS);

  await t.test("the last minute is told once, and shown by more than colour", async () => {
    await tab.page.goto(LINK);
    await tab.heading(/Your environment is ready/, READY_WITHIN_MS);
    await tab.page.getByRole("button", { name: "Start" }).click();
    await tab.connected();
    await tab.readable();
    const note = tab.page.locator(".note", { hasText: "1 minute left." });
    await note.waitFor({ timeout: OVER_WITHIN_MS });
    const urgency = tab.page.locator(".countdown").getAttribute("data-urgency");
    assert.equal(await urgency, "last");
    await tab.picture("expiry-1-last-minute");
  });

  await t.test("at zero the page says that it is over, and nothing types any more", async () => {
    await tab.command("while :; do echo still-here; sleep 0.2; done");
    await tab.prints(/^still-here$/m);
    await tab.heading(/Time is up/, OVER_WITHIN_MS);
    assert.equal(await tab.page.locator(".xterm").count(), 0);
    const regions = ["#announce-polite", "#announce-now"];
    const said = await Promise.all(regions.map((region) => tab.page.textContent(region)));
    assert.doesNotMatch(said.join(), /You can type|minute left/);
    assert.match(await tab.page.locator("main").textContent(), /Reference\s+\S+/);
    assert.equal(await tab.page.locator("[role=timer]").isVisible(), false);
    await tab.picture("expiry-2-over");
  });

  await t.test("a reload shows the same end", async () => {
    await tab.page.reload();
    await tab.heading(/Time is up/);
    assert.equal(await tab.page.getByRole("button", { name: "Start" }).count(), 0);
    assert.deepEqual(faults, []);
  });
});
