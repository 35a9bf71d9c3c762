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

it("what waits when another tab has typed since is told by its number and never sent", async () => {
  const on = await (await open()).connected();
  await on.page.locator(".xterm-helper-textarea").focus();
  on.terminal.acknowledges = false;
  await on.page.keyboard.type("hunter2");
  await on.types("hunter2");
  // The network took what the page had sent, and another tab typed as much.
  on.terminal.typed = Buffer.from("another");
  on.terminal.isElsewhere = true;
  await on.terminal.close(1011);
  await elsewhere(on).waitFor();
  const told = await elsewhere(on).textContent();
  expect(told).toContain("The last 7 characters you typed may not have arrived.");
  expect(told).not.toContain("hunter2");
  expect(on.terminal.attach).toBe(1);
  on.terminal.acknowledges = true;
  await on.page.getByRole("button", { name: "Use it here" }).click();
  await expect.poll(() => on.terminal.attach, SOON).toBe(2);
  await elsewhere(on).waitFor({ state: "detached" });
  await on.page.keyboard.type("!");
  await on.types("another!");
  await on.close();
});

it("what waits for a shell that is another one is told beside the grid", async () => {
  const on = await (await open()).connected();
  await on.page.locator(".xterm-helper-textarea").focus();
  on.terminal.acknowledges = false;
  await on.page.keyboard.type("ls");
  await on.types("ls");
  on.terminal.becomesAnother();
  await on.terminal.close(4013);
  const note = on.page.locator(".note", { hasText: "The last 2 characters you typed" });
  await note.waitFor();
  await expect.poll(() => on.terminal.attach, SOON).toBe(2);
  expect(on.terminal.typed.length).toBe(0);
  await on.close();
});
