import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const PHONE = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
const key = (on, name) => on.page.locator(".touch-keys").getByRole("button", { name, exact: true });

/** A tap is over before its click has come: Ctrl is tapped, and has become `held`. */
async function tapControl(on, held) {
  await key(on, "Ctrl").tap();
  await isHeld(on, held);
}

function isHeld(on, held) {
  const pressed = () => key(on, "Ctrl").getAttribute("aria-pressed");
  return expect.poll(pressed, SOON).toBe(String(held));
}

it("has the keys a touch keyboard lacks, and Ctrl for one key", async () => {
  const on = await (await open(PHONE)).connected();
  await key(on, "Escape").tap();
  await key(on, "Tab").tap();
  await key(on, "Up").tap();
  await on.types("\x1b\t\x1b[A");
  await tapControl(on, true);
  await on.page.keyboard.type("c");
  await on.types("\x1b\t\x1b[A\x03");
  await isHeld(on, false);
  await tapControl(on, true);
  await key(on, "Left").tap();
  await on.types("\x1b\t\x1b[A\x03\x1b[1;5D");
  await tapControl(on, true);
  await tapControl(on, false);
  await on.page.keyboard.type("x");
  await on.types("\x1b\t\x1b[A\x03\x1b[1;5Dx");
  await expect.poll(() => on.focused(), SOON).toBe("Terminal input");
  await on.close();
});

it("stays above a keyboard that covers the page", async () => {
  const on = await (await open(PHONE)).connected();
  await on.page.evaluate(() => {
    const shrunk = { height: { value: 340 }, scale: { value: 1 }, offsetTop: { value: 60 } };
    Object.defineProperties(window.visualViewport, shrunk);
    window.visualViewport.dispatchEvent(new Event("resize"));
  });
  const bottom = async () => {
    const { y, height } = await on.page.locator(".foot").boundingBox();
    return Math.round(y + height);
  };
  await expect.poll(bottom, SOON).toBe(400);
  const bar = await on.page.locator(".bar").boundingBox();
  expect(Math.round(bar.y)).toBe(60);
  await expect.poll(() => on.terminal.resizes.length, SOON).toBeGreaterThan(0);
  await on.close();
});
