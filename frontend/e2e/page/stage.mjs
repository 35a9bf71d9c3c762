// A page in a real browser, with the server's side acted: what the page alone does is asked here.
// Isolation, access and the protocol between real ends are proven in ../exam.spec.mjs and by the
// server's own tests.
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { startMock } from "../../dev/mock-server.mjs";
import { flags, watch } from "../tab.mjs";
import { ActedTerminal } from "./terminal.mjs";

const CHROMIUM = process.env.CARREL_E2E_CHROMIUM ?? "/usr/bin/chromium";
/** A busy machine with two processors. */
export const SOON = { timeout: 60_000, interval: 50 };
const START_LIMIT_MS = 180_000;
const PREFERENCES = "carrel.preferences";

let serial = 0;

/** What draws WebGL without a graphics card. */
const SOFTWARE_GL = [
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
];

/** Opens pages of one browser for the tests of one file. */
export function stage({ webgl = false } = {}) {
  const state = { browser: null, mock: null };
  beforeAll(async () => {
    const plain = flags.filter((flag) => !(webgl && flag === "--disable-gpu"));
    const args = [...plain, ...(webgl ? SOFTWARE_GL : ["--disable-3d-apis"])];
    const launched = { executablePath: CHROMIUM, args, timeout: START_LIMIT_MS };
    state.browser = await chromium.launch(launched);
    state.mock = await startMock();
  }, START_LIMIT_MS);
  afterAll(async () => {
    await state.browser?.close();
    state.mock?.close();
  });
  return { open: (options = {}) => open(state, options) };
}

async function open({ browser, mock }, how) {
  const { scenario = "running", path = "exam", choices = {}, ownClock = false, ...rest } = how;
  const { acts = {}, ...options } = rest;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  context.setDefaultTimeout(SOON.timeout);
  const faults = await watch(context);
  const page = await context.newPage();
  await page.addInitScript(
    // The frame that plays recordings has no storage.
    ([key, saved]) => {
      if (window === window.top && localStorage.getItem(key) === null)
        localStorage.setItem(key, saved);
    },
    [PREFERENCES, JSON.stringify(choices)],
  );
  await page.addInitScript(rememberWhatIsSaid);
  if (ownClock) await page.clock.install();
  const terminal = Object.assign(new ActedTerminal(), acts);
  await terminal.actFor(page);
  serial += 1;
  const id = `0198b${process.pid.toString(16).padStart(3, "0").slice(-3)}-0000-7000-8000-${String(serial).padStart(12, "0")}`;
  const go = () => page.goto(`${mock.address}/${path}/${id}#token=${scenario}`);
  await go();
  return new Stage({ context, page, terminal, faults, mock, id, scenario });
}

/** Runs in the page: keeps each line of the live regions in `window.heard`. */
function rememberWhatIsSaid() {
  window.heard = [];
  const inRegion = ({ target }) => target.id?.startsWith("announce-");
  const hear = (changes) => {
    for (const { addedNodes } of changes.filter(inRegion)) {
      window.heard.push(...Array.from(addedNodes, (node) => node.textContent));
    }
  };
  new MutationObserver(hear).observe(document, { childList: true, subtree: true });
}

/** One page and its acted server. */
class Stage {
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** Waits until it can be typed into. */
  async connected() {
    await this.page.getByText("Connected", { exact: true }).waitFor();
    await this.page.locator(".cards").waitFor({ state: "hidden" });
    return this;
  }

  /** Prints, and waits until the grid has interpreted it. */
  async print(text) {
    this.terminal.print(text);
    await this.parsed();
  }

  parsed() {
    return expect.poll(() => this.terminal.isParsed, SOON).toBe(true);
  }

  /** The rows now on the screen, as the DOM renderer draws them. */
  rows() {
    const rows = this.page.locator(".xterm-rows > div");
    return rows.evaluateAll((all) => all.map((row) => row.textContent.replace(/[\s\u00a0]+$/, "")));
  }

  /** The rows as a screen reader finds them. */
  readRows() {
    const rows = this.page.locator(".xterm-accessibility-tree > div");
    return rows.evaluateAll((all) => all.map((row) => row.textContent.replace(/[\s\u00a0]+$/, "")));
  }

  shows(text) {
    return expect.poll(async () => (await this.rows()).join("\n"), SOON).toContain(text);
  }

  /** What has been typed so far arrives as exactly this text. */
  types(text) {
    return expect.poll(() => this.terminal.typed.toString("utf8"), SOON).toBe(text);
  }

  /** Nothing but this text was typed: a key that is pressed now is the next thing to arrive. */
  async typesOnly(text) {
    await this.page.locator(".xterm-helper-textarea").press("z");
    await this.types(`${text}z`);
  }

  /**
   * The page's own clock stands still from now on, a little ahead: what was due has happened once.
   * Shorter than a server may be silent, and longer than it takes to say so.
   */
  async stopClock() {
    const now = await this.page.evaluate(() => Date.now());
    await this.page.clock.pauseAt(now + 10_000);
  }

  /** What the live regions say. */
  async said() {
    const regions = ["#announce-polite", "#announce-now"];
    const texts = await Promise.all(regions.map((region) => this.page.textContent(region)));
    return texts.filter((text) => text !== "");
  }

  /** A live region has said this after what was waited for last, however long it was there. */
  says(pattern) {
    const { source, flags } = pattern;
    const next = () =>
      this.page.evaluate(
        ([source, flags]) => {
          const pattern = new RegExp(source, flags);
          const at = window.heard.findIndex((text) => pattern.test(text));
          if (at >= 0) window.heard.splice(0, at + 1);
          return at >= 0 || window.heard;
        },
        [source, flags],
      );
    return expect.poll(next, SOON).toBe(true);
  }

  /** The server says something new of the session. */
  change(fields) {
    this.mock.change(this.id, this.scenario, fields);
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

  /** Where the focus is, by its accessible name. */
  focused() {
    return this.page.evaluate(() => {
      const at = document.activeElement;
      return at?.getAttribute("aria-label") ?? at?.textContent ?? "";
    });
  }

  async close() {
    expect(this.faults).toEqual([]);
    await this.context.close();
  }
}
