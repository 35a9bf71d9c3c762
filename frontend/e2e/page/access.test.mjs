import AxeBuilder from "@axe-core/playwright";
import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const reader = (on) => on.page.getByRole("button", { name: "Screen reader support" });
const pressed = (on) => reader(on).getAttribute("aria-pressed");

it("the documented keys leave the grid, say so, and Tab goes on from there", async () => {
  const on = await (await open()).connected();
  await expect.poll(() => on.focused(), SOON).toBe("Terminal input");
  for (const keys of ["Control+Shift+Escape", "Control+Shift+L"]) {
    await on.page.keyboard.press(keys);
    await expect.poll(() => on.focused(), SOON).toBe("Back to the terminal");
    await on.says(/^You left the terminal\. Tab moves between the buttons\.$/);
    await on.page.keyboard.press("Tab");
    expect(await on.focused()).toBe("Find in the terminal");
    await on.page.getByRole("button", { name: "Back to the terminal" }).press("Enter");
    await expect.poll(() => on.focused(), SOON).toBe("Terminal input");
  }
  await on.page.keyboard.press("Tab");
  await on.types("\t");
  await on.close();
});

it("the grid is a tree that a screen reader walks, kept on over a reload", async () => {
  const on = await (await open()).connected();
  await on.print("candidate@exam:~$ ls\r\n01-users.md\r\n");
  expect(await on.page.locator(".xterm-accessibility").count()).toBe(0);
  await reader(on).click();
  await expect.poll(() => on.readRows(), SOON).toContain("01-users.md");
  const items = on.page.getByRole("listitem");
  await expect.poll(() => items.count(), SOON).toBe(on.terminal.hellos[0].rows);
  expect(await items.first().getAttribute("aria-posinset")).toBe("1");
  expect(await items.first().getAttribute("aria-setsize")).toMatch(/^\d+$/);
  await on.page.reload();
  await on.connected();
  expect(await pressed(on)).toBe("true");
  await expect.poll(() => on.readRows(), SOON).toContain("01-users.md");
  await on.print("02-services.md\r\n");
  await expect
    .poll(() => on.page.locator(".xterm-accessibility .live-region").textContent(), SOON)
    .toContain("02-services.md");
  await reader(on).click();
  await expect.poll(() => on.page.locator(".xterm-accessibility").count(), SOON).toBe(0);
  await on.close();
});

it("the cursor stands still where motion is unwanted, also when that is chosen later", async () => {
  const on = await (await open()).connected();
  const blinks = () => on.page.locator(".xterm-cursor.xterm-cursor-blink").count();
  await on.print("$ ");
  await expect.poll(blinks, SOON).toBe(1);
  await on.page.emulateMedia({ reducedMotion: "reduce" });
  await expect.poll(blinks, SOON).toBe(0);
  await on.close();
});

it("where the system forces its colours, what is pressed or selected still shows", async () => {
  const on = await (await open({ forcedColors: "active" })).connected();
  expect(await on.page.getAttribute("html", "data-theme")).toBe("contrast");
  const ground = (part) => part.evaluate((one) => getComputedStyle(one).backgroundColor);
  const before = await ground(reader(on));
  await reader(on).click();
  expect(await pressed(on)).toBe("true");
  expect(await ground(reader(on))).not.toBe(before);
  await on.print("to be selected\r\n");
  const { x, y } = await on.page.locator(".xterm-screen").boundingBox();
  await on.page.mouse.dblclick(x + 12, y + 8);
  const selected = on.page.locator(".xterm-selection > div").first();
  await selected.waitFor({ state: "attached" });
  const host = on.page.locator(".xterm-scrollable-element").first();
  expect(await ground(selected)).not.toBe(await ground(host));
  await on.close();
});

it("a connection that comes back leaves the focus where the person put it", async () => {
  const on = await (await open()).connected();
  await on.page.keyboard.press("Control+Shift+F");
  await on.page.keyboard.type("needle");
  on.terminal.takes = false;
  await on.terminal.close(1011);
  await on.page.locator(".card", { hasText: "Reconnecting" }).waitFor();
  on.terminal.takes = true;
  await on.connected();
  expect(await on.focused()).toBe("Find in the terminal");
  await on.close();
});

it("search, help and questions are without findings", async () => {
  const on = await (await open()).connected();
  const findings = async () => {
    const { violations } = await new AxeBuilder({ page: on.page }).exclude(".xterm").analyze();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  };
  await on.page.keyboard.press("Control+Shift+F");
  expect(await findings()).toEqual([]);
  await on.page.keyboard.press("Escape");
  await on.page.getByRole("button", { name: "Help" }).click();
  await on.page.getByRole("dialog").waitFor();
  expect(await findings()).toEqual([]);
  await on.close();
});

it("a window at 200 % has the bar, the foot and rows between them", async () => {
  const on = await (await open({ viewport: { width: 640, height: 400 } })).connected();
  const box = (part) => on.page.locator(part).boundingBox();
  const [bar, foot] = await Promise.all([box(".bar"), box(".foot")]);
  expect(bar.y).toBe(0);
  expect(foot.y + foot.height).toBeLessThanOrEqual(400);
  expect((await on.rows()).length).toBeGreaterThan(8);
  const { scrollWidth, clientWidth } = await on.page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
  expect(scrollWidth).toBe(clientWidth);
  await on.close();
});

it("a window closed by mistake asks first while the exam runs, and not after it", async () => {
  const on = await (await open()).connected();
  const asked = [];
  on.page.on("dialog", (dialog) => asked.push(dialog.type()));
  await on.page.keyboard.type("x");
  await on.page.reload();
  await on.connected();
  expect(asked).toEqual(["beforeunload"]);
  on.change({ state: "terminated", ended_at: new Date().toISOString(), can_end: false });
  await on.page.getByRole("heading", { level: 1 }).waitFor();
  await expect.poll(() => on.page.locator(".xterm").count(), SOON).toBe(0);
  await on.page.reload();
  await on.page.getByRole("heading", { level: 1 }).waitFor();
  expect(asked).toEqual(["beforeunload"]);
  await on.close();
});
