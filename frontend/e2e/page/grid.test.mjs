import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();

it("its font is there before the grid is measured", async () => {
  const on = await (await open()).connected();
  expect(await on.page.evaluate(() => document.fonts.check('14px "Carrel Mono"'))).toBe(true);
  await on.print("iiiiiiiiii\r\nMMMMMMMMMM\r\n");
  await on.shows("iiiiiiiiii\nMMMMMMMMMM");
  const widths = await on.page
    .locator(".xterm-rows > div > span:first-child")
    .evaluateAll((spans) => spans.slice(0, 2).map((span) => span.getBoundingClientRect().width));
  expect(Math.abs(widths[0] - widths[1])).toBeLessThan(0.5);
  await on.close();
});

it("text in true colour has its colour without WebGL, under the page's own policy", async () => {
  const on = await (await open()).connected();
  await on.print("\x1b[38;2;1;99;2mgreen\x1b[0m \x1b[48;2;250;240;10mmarked\x1b[0m\r\n");
  await on.shows("green marked");
  const styleOf = (text) =>
    on.page
      .locator(".xterm-rows span", { hasText: text })
      .first()
      .evaluate((span) => {
        const { color, backgroundColor } = getComputedStyle(span);
        return { color, backgroundColor };
      });
  expect((await styleOf("green")).color).toBe("rgb(1, 99, 2)");
  expect((await styleOf("marked")).backgroundColor).toBe("rgb(250, 240, 10)");
  await on.close();
});

it("keeps text readable where a program chooses colours without contrast", async () => {
  const on = await (await open()).connected();
  await on.print("\x1b[38;2;250;250;250;48;2;255;255;255mfaint\x1b[0m\r\n");
  await on.shows("faint");
  const faint = on.page.locator(".xterm-rows span", { hasText: "faint" }).first();
  const colour = await faint.evaluate((span) => getComputedStyle(span).color);
  const [red] = /\d+/.exec(colour) ?? [];
  expect(Number(red)).toBeLessThan(150);
  await on.close();
});

it("counts wide characters as the shell does", async () => {
  const on = await (await open()).connected();
  await on.print("🎓\x1b[6n");
  await on.types("\x1b[1;3R");
  await on.close();
});

it("the last row is whole, above the foot", async () => {
  const on = await (await open()).connected();
  const rows = await on.rows();
  await on.print(`${"line\r\n".repeat(rows.length - 1)}last`);
  await on.shows("last");
  const last = await on.page.locator(".xterm-rows > div").last().boundingBox();
  const foot = await on.page.locator(".foot").boundingBox();
  expect(last.y + last.height).toBeLessThanOrEqual(foot.y);
  await on.close();
});

it("tells the shell a new size once it has settled, and never the same size again", async () => {
  const on = await (await open({ ownClock: true })).connected();
  const { cols } = on.terminal.hellos[0];
  const { clock } = on.page;
  await on.stopClock();
  const before = on.terminal.resizes.length;
  // What is typed arrives after what was told before it.
  const types = async () => {
    const typed = on.terminal.typed.length;
    await on.page.keyboard.type("x");
    await expect.poll(() => on.terminal.typed.length, SOON).toBe(typed + 1);
  };
  const settle = async () => {
    // A picture is drawn, and with it the page's own observers have seen the new size.
    await on.page.screenshot();
    const told = on.terminal.resizes.length;
    await clock.runFor(40);
    await types();
    expect(on.terminal.resizes).toHaveLength(told);
    await clock.runFor(200);
    await types();
    return on.terminal.resizes.slice(before);
  };
  for (let width = 1270; width >= 900; width -= 37) {
    await on.page.setViewportSize({ width, height: 800 });
  }
  const told = await settle();
  expect(told).toHaveLength(1);
  expect(told[0][0]).toBeLessThan(cols);
  // One pixel more is the same number of cells.
  await on.page.setViewportSize({ width: 901, height: 800 });
  expect(await settle()).toHaveLength(1);
  await on.close();
});

it("shows that a program rang, and a flood of rings once", async () => {
  const on = await (await open({ ownClock: true })).connected();
  await on.page.evaluate(() => {
    window.rings = 0;
    new MutationObserver((changes) => {
      for (const { target } of changes) if (target.dataset.rang) window.rings += 1;
    }).observe(document.querySelector(".grid"), { attributeFilter: ["data-rang"] });
  });
  // However long the browser takes, all of them ring at once.
  await on.stopClock();
  on.terminal.print("\x07".repeat(16_000));
  const parsed = async () => {
    await on.page.clock.runFor(20);
    return on.terminal.isParsed;
  };
  await expect.poll(parsed, SOON).toBe(true);
  await on.says(/^Bell$/);
  expect(await on.page.evaluate(() => window.rings)).toBe(1);
  await on.close();
});
