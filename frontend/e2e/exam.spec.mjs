// One candidate's exam in a real browser against the real processes: from the link to the
// cut-off. Run by the integration tests, or by hand:
//
//   CARREL_E2E_LINK='http://127.0.0.1:8080/exam/<id>#token=<jwt>' \
//   CARREL_E2E_API=http://127.0.0.1:8080 CARREL_E2E_SERVICE_TOKEN=<jwt> \
//   node --test e2e/exam.spec.mjs
//
// CARREL_E2E_SCREENSHOTS names a folder for the pictures; CARREL_E2E_CHROMIUM another browser.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { flags, SOON_MS, Tab, trusting, watch } from "./tab.mjs";
import { terminalStory } from "./terminal-story.mjs";
import { wireOf } from "./wire.mjs";

const LINK = process.env.CARREL_E2E_LINK;
const API = process.env.CARREL_E2E_API;
const SERVICE_TOKEN = process.env.CARREL_E2E_SERVICE_TOKEN;
const SCREENSHOTS = process.env.CARREL_E2E_SCREENSHOTS;
const CHROMIUM = process.env.CARREL_E2E_CHROMIUM ?? "/usr/bin/chromium";

/** The startup budget of an exam and a margin. */
const READY_WITHIN_MS = 200_000;
/** A cold browser on a slow disk. */
const LAUNCHED_WITHIN_MS = 180_000;

async function terminate(id) {
  const answer = await fetch(`${API}/v1/sessions/${id}/terminate`, {
    method: "POST",
    headers: { authorization: `Bearer ${SERVICE_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ reason: "the browser test ends it" }),
  });
  assert.equal(answer.status, 202, await answer.text());
}

test("a candidate takes an exam from link to cut-off", { timeout: 540_000 }, async (t) => {
  for (const [name, value] of Object.entries({ LINK, API, SERVICE_TOKEN })) {
    assert.ok(value, `CARREL_E2E_${name} is not set`);
  }
  if (SCREENSHOTS) await mkdir(SCREENSHOTS, { recursive: true });
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...flags, trusting(LINK)],
    timeout: LAUNCHED_WITHIN_MS,
  });
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(SOON_MS);
  const faults = await watch(context);
  const id = new URL(LINK).pathname.split("/").pop();
  const first = new Tab(await context.newPage(), SCREENSHOTS);
  const wire = await wireOf(first.page);

  await t.test("the link opens, and the token leaves the address bar", async () => {
    const answer = await first.page.goto(LINK);
    const policy = answer.headers()["content-security-policy"] ?? "";
    assert.match(policy, /script-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe-eval|script-src[^;]*unsafe-inline/);
    await first.heading(/Preparing your environment|Your environment is ready/);
    assert.equal(new URL(first.page.url()).hash, "");
    await first.picture("01-opened");
  });

  await t.test("Start is offered, focused, when the environment is ready", async () => {
    await first.heading(/Your environment is ready/, READY_WITHIN_MS);
    const start = first.page.getByRole("button", { name: "Start" });
    await start.waitFor();
    assert.ok(await start.evaluate((button) => button === document.activeElement));
    await first.picture("02-ready");
    await start.click();
    await first.connected();
    await first.readable();
    assert.match(await first.page.locator("[role=timer]").textContent(), /^\d{2}:\d{2}:\d{2}$/);
  });

  await t.test("what is typed runs in a real shell", async () => {
    await first.command("echo carrel-$((40+2))");
    await first.prints(/^carrel-42$/m);
    await first.picture("03-typed");
  });

  await t.test("the shell knows the window's size, also after a resize", async () => {
    const before = await first.shellSize();
    await first.page.setViewportSize({ width: 1000, height: 620 });
    await first.gridRowsChangeFrom(before.rows);
    const after = await first.shellSizeOfGrid();
    assert.notDeepEqual(after, before);
    assert.equal(after.cols, await first.gridColumns(after.cols));
    await first.picture("04-resized");
  });

  await terminalStory(t, first, wire);

  await t.test("a reload finds the same shell and the same screen", async () => {
    await first.command("clear; echo screen-$((50+1)); kept=$((6*7))-kept");
    await first.prints(/^screen-51$/m);
    await first.page.reload();
    await first.connected();
    await first.prints(/^screen-51$/m);
    await first.command("echo same-$kept");
    await first.prints(/^same-42-kept$/m);
    await first.picture("05-reloaded");
  });

  const second = new Tab(await context.newPage(), SCREENSHOTS);

  await t.test("a second tab takes over, and the first can take it back", async () => {
    await second.page.goto(first.page.url());
    await second.connected();
    await second.prints(/^same-42-kept$/m);
    await first.card(/open in another tab/);
    await first.picture("06-elsewhere");
    await first.page.getByRole("button", { name: "Use it here" }).click();
    await first.connected();
    await second.card(/open in another tab/);
    await first.command("echo back-$((1+1))-$kept");
    await first.prints(/^back-2-42-kept$/m);
    await first.picture("07-taken-back");
  });

  await t.test("the operator ends it: the final page, and no input any more", async () => {
    await terminate(id);
    await first.heading(/ended|over|finished|complete|up/i);
    assert.equal(await first.page.locator(".xterm").count(), 0);
    assert.match(await first.page.locator("main").textContent(), /Reference\s+\S+/);
    await first.page.keyboard.type("echo too-late\n");
    assert.equal(await first.page.locator(".xterm").count(), 0);
    await first.picture("08-ended");
    await second.heading(/ended|over|finished|complete|up/i);
    await first.page.reload();
    await first.heading(/ended|over|finished|complete|up/i);
    assert.equal(await first.page.getByRole("button", { name: "Start" }).count(), 0);
    await first.picture("09-ended-reloaded");
  });

  await t.test("nothing violated the policy and nothing was logged as an error", () => {
    // The browser's own words for what was asked while it had no network.
    const unexpected = faults.filter((fault) => !/ERR_INTERNET_DISCONNECTED/.test(fault));
    assert.deepEqual(unexpected, []);
  });
});
