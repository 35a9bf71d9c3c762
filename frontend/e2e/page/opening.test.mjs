import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();

/** Something that is waited for until it is let go. */
function gate() {
  const held = {};
  held.passed = new Promise((resolve) => (held.open = resolve));
  return held;
}

/** Changes the window and waits until the grid has taken the new size. */
async function narrow(on, width) {
  const host = on.page.locator(".xterm-screen");
  const before = await host.evaluate((screen) => screen.clientWidth);
  await on.page.setViewportSize({ width, height: 700 });
  await expect.poll(() => host.evaluate((screen) => screen.clientWidth), SOON).not.toBe(before);
}

/** The size that a connection begun now would tell. */
async function sizeNow(on) {
  const { length } = on.terminal.hellos;
  await on.terminal.close(1011);
  await expect.poll(() => on.terminal.hellos.length, SOON).toBe(length + 1);
  const { cols, rows } = on.terminal.hellos.at(-1);
  return [cols, rows];
}

it("a size that changes while the connection opens is the one that is told", async () => {
  const on = await (await open()).connected();
  const opening = gate();
  on.terminal.opening = opening.passed;
  await on.terminal.close(1011);
  await expect.poll(() => on.terminal.asked, SOON).toBe(2);
  await narrow(on, 900);
  opening.open();
  await expect.poll(() => on.terminal.hellos.length, SOON).toBe(2);
  const { cols, rows } = on.terminal.hellos[1];
  expect(cols).toBeLessThan(on.terminal.hellos[0].cols);
  await on.connected();
  expect(await sizeNow(on)).toEqual([cols, rows]);
  expect(on.terminal.resizes).toEqual([]);
  await on.close();
});

it("a size that changes before the server says welcome is told after it, and nothing before", async () => {
  const on = await (await open()).connected();
  const welcoming = gate();
  on.terminal.welcoming = welcoming.passed;
  await on.terminal.close(1011);
  await expect.poll(() => on.terminal.hellos.length, SOON).toBe(2);
  await narrow(on, 900);
  expect(on.terminal.resizes).toEqual([]);
  welcoming.open();
  await expect.poll(() => on.terminal.resizes.length, SOON).toBe(1);
  expect(on.terminal.early).toBe(0);
  await on.connected();
  const [told] = on.terminal.resizes;
  expect(await sizeNow(on)).toEqual(told);
  await on.close();
});
