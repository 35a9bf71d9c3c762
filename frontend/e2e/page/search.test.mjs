import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const count = (on) => on.page.textContent(".find-count");
const counts = (on, words) => expect.poll(() => count(on), SOON).toBe(words);
const choose = (on, name) => on.page.getByRole("button", { name }).click();

const TEXT = "Error one\r\nerror two\r\nan errorless day\r\nerr.r dotted\r\n";

it("opens by its key, counts, goes on and back, and Esc returns to the shell", async () => {
  const on = await (await open()).connected();
  await on.print(TEXT);
  await on.page.keyboard.press("Control+Shift+F");
  await expect.poll(() => on.focused(), SOON).toBe("Find in the terminal");
  await on.page.keyboard.type("error");
  await expect.poll(() => count(on), SOON).toMatch(/^\d of 3$/);
  await on.says(/^\d of 3$/);
  const first = Number((await count(on))[0]);
  await on.page.keyboard.press("Enter");
  await counts(on, `${(first % 3) + 1} of 3`);
  await on.page.keyboard.press("Shift+Enter");
  await counts(on, `${first} of 3`);
  await on.page.keyboard.press("Escape");
  await expect.poll(() => on.focused(), SOON).toBe("Terminal input");
  expect(await on.page.locator(".find").isVisible()).toBe(false);
  await on.page.keyboard.type("ls");
  await on.types("ls");
  await on.close();
});

it("minds case and whole words where it is told to, and takes every letter for itself", async () => {
  const on = await (await open()).connected();
  await on.print(TEXT);
  await choose(on, "Find in the terminal");
  await on.page.keyboard.type("error");
  await expect.poll(() => count(on), SOON).toMatch(/of 3$/);
  await choose(on, "Match case");
  await expect.poll(() => count(on), SOON).toMatch(/of 2$/);
  await choose(on, "Whole words");
  await counts(on, "1 of 1");
  await choose(on, "Whole words");
  await choose(on, "Match case");
  const input = on.page.getByRole("searchbox", { name: "Find in the terminal" });
  await input.fill("err.r");
  await counts(on, "1 of 1");
  await input.fill("never there");
  await counts(on, "No matches");
  await input.fill("");
  await counts(on, "");
  await on.close();
});

it("finds what has scrolled away, and shows it", async () => {
  const on = await (await open()).connected();
  await on.print(`needle-42\r\n${"straw\r\n".repeat(500)}`);
  await on.shows("straw");
  expect((await on.rows()).join()).not.toContain("needle");
  await on.page.keyboard.press("Control+Shift+F");
  await on.page.keyboard.type("needle");
  await counts(on, "1 of 1");
  await on.shows("needle-42");
  await on.page.getByRole("searchbox").fill("straw");
  await expect.poll(() => count(on), SOON).toMatch(/^\d+ of 500$/);
  await on.close();
});

it("says that there are more than it counts", async () => {
  const on = await (await open()).connected();
  await on.print("x x x x x x x x x x\r\n".repeat(150));
  await on.page.keyboard.press("Control+Shift+F");
  await on.page.keyboard.type("x");
  await counts(on, "1,000 or more");
  await on.close();
});

it("looks for what would hang a search for patterns, and stays quick", async () => {
  const on = await (await open()).connected();
  await on.print(`${"a".repeat(60)}!\r\n`);
  await on.page.keyboard.press("Control+Shift+F");
  await on.page.keyboard.type("(a+)+$");
  await counts(on, "No matches");
  await on.page.keyboard.press("Escape");
  await on.typesOnly("");
  await on.close();
});

it("under a card it can be used, and gives the focus to what can be done there", async () => {
  const on = await (await open({ viewport: { width: 360, height: 640 } })).connected();
  await on.print(TEXT);
  await choose(on, "Find in the terminal");
  await on.page.keyboard.type("error");
  await expect.poll(() => count(on), SOON).toMatch(/of 3$/);
  await on.terminal.close(4009);
  const card = on.page.locator(".card", { hasText: "open in another tab" });
  await card.waitFor();
  // A click fails where something lies over what is clicked.
  await on.page.getByRole("searchbox").click();
  await on.page.keyboard.press("Enter");
  await expect.poll(() => count(on), SOON).toMatch(/^\d of 3$/);
  await on.page.keyboard.press("Escape");
  await expect.poll(() => on.focused(), SOON).toBe("Use it here");
  await on.close();
});

it("is fetched by the first search only", async () => {
  const on = await (await open()).connected();
  const fetched = () =>
    on.page.evaluate(() =>
      performance.getEntriesByType("resource").some(({ name }) => name.includes("addon-search")),
    );
  expect(await fetched()).toBe(false);
  await on.page.keyboard.press("Control+Shift+F");
  await on.page.keyboard.type("a");
  await expect.poll(fetched, SOON).toBe(true);
  await on.close();
});
