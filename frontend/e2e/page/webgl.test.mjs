import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage({ webgl: true });
const canvases = (on) => on.page.locator(".xterm-screen canvas").count();

it("draws by WebGL, and by the DOM once the browser takes the context away", async () => {
  const on = await (await open({ choices: { screenReader: true } })).connected();
  await expect.poll(() => canvases(on), SOON).toBeGreaterThan(0);
  await on.print("before the loss\r\n");

  await on.page.evaluate(() => {
    const contexts = Array.from(document.querySelectorAll(".xterm-screen canvas"))
      .map((canvas) => canvas.getContext("webgl2"))
      .filter((context) => context !== null);
    for (const context of contexts) context.getExtension("WEBGL_lose_context").loseContext();
  });
  // The browser may give it back, for which the renderer waits a few seconds.
  await expect.poll(() => canvases(on), SOON).toBe(0);
  await on.shows("before the loss");
  await on.print("after the loss\r\n");
  await on.shows("after the loss");
  await on.page.keyboard.type("ls");
  await on.types("ls");
  await on.close();
});

it("searches and marks by WebGL too", async () => {
  const on = await (await open({ choices: { screenReader: true } })).connected();
  await expect.poll(() => canvases(on), SOON).toBeGreaterThan(0);
  await on.print("one two one\r\n");
  await on.page.keyboard.press("Control+Shift+F");
  await on.page.keyboard.type("one");
  await expect.poll(() => on.page.textContent(".find-count"), SOON).toMatch(/of 2$/);
  await on.close();
});
