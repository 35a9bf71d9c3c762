// What a candidate does and sees in one tab, for the browser test.
import assert from "node:assert/strict";

/** Chromium as root in a container, without a GPU and without calls home. */
export const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A page at a cluster's own address has no certificate; where exams are taken, it has one. */
export const trusting = (link) =>
  `--unsafely-treat-insecure-origin-as-secure=${new URL(link).origin}`;

/** What one step takes at most on a busy machine with two processors. */
export const SOON_MS = 60_000;

/** Collects console errors, page errors and policy violations of every page of a context. */
export async function watch(context) {
  const faults = [];
  await context.exposeFunction("carrelViolation", (what) => faults.push(`policy: ${what}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.carrelViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  context.on("page", (page) => {
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => faults.push(`page: ${error.message}`));
    // The page asks before it is left while running; the test does mean to leave.
    page.on("dialog", (dialog) => dialog.accept());
  });
  return faults;
}

/** One tab. Reads the grid through xterm's accessibility tree, as a screen reader does. */
export class Tab {
  constructor(page, screenshots) {
    this.page = page;
    this.screenshots = screenshots;
    this.asked = 0;
  }

  async picture(name) {
    if (this.screenshots) await this.page.screenshot({ path: `${this.screenshots}/${name}.png` });
  }

  heading(pattern, timeout = SOON_MS) {
    return this.page.getByRole("heading", { level: 1, name: pattern }).waitFor({ timeout });
  }

  card(pattern) {
    return this.page.locator(".card", { hasText: pattern }).waitFor({ timeout: SOON_MS });
  }

  /** Waits until the bar says so and no card is over the grid. */
  async connected() {
    await this.page.getByText("Connected", { exact: true }).waitFor({ timeout: SOON_MS });
    await this.page.locator(".cards").waitFor({ state: "hidden", timeout: SOON_MS });
  }

  /** Switches screen reader support on; the choice is kept over reloads and tabs. */
  async readable() {
    const toggle = this.page.getByRole("button", { name: "Screen reader support" });
    if ((await toggle.getAttribute("aria-pressed")) === "false") await toggle.click();
    await this.page.locator(".xterm-accessibility-tree").waitFor({ state: "attached" });
  }

  /** The rows now on the screen. */
  rows() {
    return this.page
      .locator(".xterm-accessibility-tree > div")
      .evaluateAll((rows) => rows.map((row) => row.textContent.replace(/[\s\u00a0]+$/, "")));
  }

  /** Waits until the screen shows what matches. */
  async prints(pattern) {
    const deadline = Date.now() + SOON_MS;
    let text = "";
    while (Date.now() < deadline) {
      text = (await this.rows()).join("\n");
      if (pattern.test(text)) return pattern.exec(text);
      await this.page.waitForTimeout(50);
    }
    assert.fail(`the screen never showed ${pattern}:\n${text}`);
  }

  /** Types a line as a person would, and Return. */
  async command(line) {
    await this.page.locator(".xterm-helper-textarea").focus();
    await this.page.keyboard.type(line);
    await this.page.keyboard.press("Enter");
  }

  /** Pastes as the browser does: a paste event with the text. */
  paste(text) {
    return this.page.locator(".xterm-helper-textarea").evaluate((target, pasted) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", pasted);
      const how = { clipboardData, bubbles: true, cancelable: true };
      target.dispatchEvent(new ClipboardEvent("paste", how));
    }, text);
  }

  /** How often `text` is in the grid and what scrolled off it, by the page's own search. */
  async count(text) {
    await this.page.keyboard.press("Control+Shift+F");
    const box = this.page.getByRole("searchbox", { name: "Find in the terminal" });
    await box.fill(text);
    const count = this.page.locator(".find-count", { hasText: /of \d+$/ });
    await count.waitFor({ timeout: SOON_MS });
    const [, found] = /of (\d+)$/.exec(await count.textContent());
    await box.press("Escape");
    return Number(found);
  }

  /** What the shell takes the window's size to be. */
  async shellSize() {
    this.asked += 1;
    await this.command(`echo size-${this.asked}: $(stty size)`);
    const [, rows, cols] = await this.prints(
      new RegExp(`^size-${this.asked}: (\\d+) (\\d+)$`, "m"),
    );
    return { rows: Number(rows), cols: Number(cols) };
  }

  async gridRows() {
    return (await this.rows()).length;
  }

  async gridRowsChangeFrom(rows) {
    const deadline = Date.now() + SOON_MS;
    while ((await this.gridRows()) === rows) {
      assert.ok(Date.now() < deadline, "the grid never changed its size");
      await this.page.waitForTimeout(50);
    }
  }

  /** Asks the shell until its size is the grid's: the page lets a resize settle before it sends it. */
  async shellSizeOfGrid() {
    const deadline = Date.now() + SOON_MS;
    for (;;) {
      const size = await this.shellSize();
      if (size.rows === (await this.gridRows())) return size;
      assert.ok(Date.now() < deadline, `the shell keeps ${size.rows} rows`);
    }
  }

  /** How many columns the grid has: a line twice as long as `guess` fills its first row. */
  async gridColumns(guess) {
    await this.command(`clear; printf '#%.0s' $(seq ${2 * guess}); echo; echo filled`);
    await this.prints(/^filled$/m);
    const row = (await this.rows()).find((text) => /^#+$/.test(text));
    return row?.length ?? 0;
  }
}
