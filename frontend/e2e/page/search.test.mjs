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

it("minds case, whole words and patterns where it is told to", async () => {
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
  await choose(on, "Regular expression");
  const input = on.page.getByRole("searchbox", { name: "Find in the terminal" });
  await input.fill("err.r");
  await expect.poll(() => count(on), SOON).toMatch(/of 4$/);
  await input.fill("err[");
  await counts(on, "Not a pattern");
  await input.fill("never there");
  await counts(on, "No matches");
  await input.fill("");
  await counts(on, "");
  await on.close();
});

it("finds what has scrolled away, and shows it", async () => {
  const on = await (await open()).connected();
  await on.print(`needle-42\r\n${"straw\r\n".repeat(500)}`);
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
