import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const link = (on) => on.page.textContent(".link");
const figures = (on) => on.page.locator("dialog .measured").textContent();

it("both legs and the way from key to screen are measured and shown", async () => {
  const on = await (await open({ acts: { legMicros: 7_300 } })).connected();
  await expect.poll(() => link(on), SOON).toMatch(/^Connected· (?:\d+|under 1) ms$/);
  await on.page.getByRole("button", { name: "Help" }).click();
  const told = () => figures(on);
  await expect.poll(told, SOON).toMatch(/exam server and back(?:\d+|under 1) ms/);
  expect(await told()).toContain("to your shell and back7 ms");
  expect(await told()).toContain("From a key to the screennot yet");
  await on.page.getByRole("button", { name: "Close" }).click();

  await on.page.locator(".xterm-helper-textarea").focus();
  await on.page.keyboard.type("l");
  await on.types("l");
  await on.print("l");
  const measured = () =>
    on.page.evaluate(() => performance.getEntriesByName("key-to-paint").length);
  await expect.poll(measured, SOON).toBe(1);
  await on.page.getByRole("button", { name: "Help" }).click();
  await expect.poll(told, SOON).toMatch(/From a key to the screen(?:\d+|under 1) ms/);
  await on.close();
});

it("a leg the server has no figure of is not made up", async () => {
  const on = await (await open({ acts: { legMicros: 0 } })).connected();
  await expect.poll(() => link(on), SOON).toMatch(/ms$/);
  await on.page.getByRole("button", { name: "Help" }).click();
  expect(await figures(on)).toContain("to your shell and backnot yet");
  await on.close();
});

it("the age of the last byte is told while there is no connection", async () => {
  const on = await (await open()).connected();
  on.terminal.takes = false;
  await on.terminal.close(1011);
  await expect.poll(() => link(on), SOON).toMatch(/^Reconnecting· last byte \d+ s ago$/);
  await on.page.locator(".card", { hasText: "Your shell is still running" }).waitFor();
  await expect
    .poll(() => on.page.textContent(".card .next"), SOON)
    .toMatch(/Trying .+ Last byte \d+ s ago\.$/);
  on.terminal.takes = true;
  await expect.poll(() => link(on), SOON).toMatch(/^Connected/);
  await on.close();
});

it("a server that stops answering is noticed, first by words and then by a new connection", async () => {
  const on = await (await open({ ownClock: true })).connected();
  await expect.poll(() => on.terminal.pings, SOON).toBeGreaterThan(0);
  await on.stopClock();
  // What is typed arrives after what was sent before it: that PING is answered, the next is not.
  await on.typesOnly("");
  on.terminal.answers = false;
  await on.page.clock.runFor(15_000);
  await expect.poll(() => link(on), SOON).toMatch(/^Connected· last byte \d+ s ago$/);
  expect(on.terminal.hellos).toHaveLength(1);
  await on.page.clock.runFor(8_000);
  await expect.poll(() => on.terminal.hellos.length, SOON).toBe(2);
  await on.close();
});

it("is measured only while somebody looks at the page", async () => {
  const on = await (await open({ ownClock: true })).connected();
  const look = (visibilityState) =>
    on.page.evaluate((value) => {
      Object.defineProperty(document, "visibilityState", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, visibilityState);
  // What is typed arrives after what was sent before it.
  const pings = async (typed) => {
    await on.page.keyboard.type("x");
    await on.types(typed);
    return on.terminal.pings;
  };
  await look("hidden");
  const before = await pings("x");
  await on.page.clock.runFor(21_000);
  expect(await pings("xx")).toBe(before);
  expect(await link(on)).toMatch(/^Connected(?!.*last byte)/);
  await look("visible");
  await on.page.clock.runFor(2_000);
  await expect.poll(() => on.terminal.pings, SOON).toBeGreaterThan(before);
  expect(on.terminal.hellos).toHaveLength(1);
  await on.close();
});

it("keys typed while it is lost are refused, and what was typed before arrives once", async () => {
  const on = await (await open()).connected();
  await on.page.keyboard.type("before");
  await on.types("before");
  on.terminal.takes = false;
  await on.terminal.close(1011);
  await on.page.locator(".card", { hasText: "Reconnecting" }).waitFor();
  await on.page.keyboard.type("lost");
  on.terminal.takes = true;
  await on.connected();
  await on.page.keyboard.type(" after");
  await on.types("before after");
  await on.close();
});

it("a computer without network is told so, and goes on by itself when it has one", async () => {
  const on = await (await open()).connected();
  on.terminal.takes = false;
  await on.context.setOffline(true);
  await on.terminal.close(1011);
  await on.page.getByText("This computer has no network.").waitFor();
  on.terminal.takes = true;
  await on.context.setOffline(false);
  await on.connected();
  expect(on.terminal.hellos.at(-1).resume).not.toBeNull();
  // The browser itself tells of what it could not fetch meanwhile.
  on.faults.splice(
    0,
    on.faults.length,
    ...on.faults.filter((fault) => !/ERR_INTERNET/.test(fault)),
  );
  await on.close();
});

it("a terminal that cannot be opened names the reference that staff ask for", async () => {
  const on = await (await open()).connected();
  await on.terminal.close(1002);
  const card = on.page.locator(".card", { hasText: "The terminal could not be opened" });
  await card.getByText("tell the exam staff the reference 7F3K-22.").waitFor();
  await expect.poll(() => on.focused(), SOON).toBe("Try again");
  await on.close();
});

it("a notice of the server is shown outside the grid", async () => {
  const on = await (await open()).connected();
  on.terminal.notice({ code: "draining", text: "", args: {} });
  await on.page.locator(".note", { hasText: "The terminal server restarts" }).waitFor();
  expect((await on.rows()).join("")).not.toContain("restarts");
  await on.close();
});
