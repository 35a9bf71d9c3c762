import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const elsewhere = (on) => on.page.locator(".card", { hasText: "open in another tab" });
const attaches = (on) => on.terminal.hellos.map(({ attach }) => attach);

it("a page that comes back by itself says what it held, and one that is asked takes over", async () => {
  const on = await (await open()).connected();
  for (const times of [2, 3]) {
    await on.terminal.close(1011);
    await expect.poll(() => on.terminal.attach, SOON).toBe(times);
  }
  await on.terminal.close(4009);
  await elsewhere(on).getByRole("button", { name: "Use it here" }).click();
  await expect.poll(() => on.terminal.attach, SOON).toBe(4);
  expect(attaches(on)).toEqual([null, 1, 2, null]);
  expect(new Set(on.terminal.hellos.map(({ page }) => page)).size).toBe(1);
  expect(on.terminal.hellos[3].resume).not.toBeNull();
  await on.close();
});
