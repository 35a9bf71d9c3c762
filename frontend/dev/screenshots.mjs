// Draws every state of the page in Chromium, at several sizes and in each theme, against the
// imitation. Also fails on any console error, policy violation or serious accessibility finding.
//
//   node dev/screenshots.mjs [scenario…]      pictures go to ../target/screenshots
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { startMock } from "./mock-server.mjs";

const OUT = fileURLToPath(new URL("../../target/screenshots/page", import.meta.url));
const SIZES = { phone: [360, 640], laptop: [1280, 800], wide: [2560, 1440] };
const SCENARIOS = [
  "created",
  "initializing",
  "slow",
  "blocked",
  "ready",
  "window",
  "running",
  "full",
  "search",
  "help",
  "paste",
  "warning",
  "soon",
  "last",
  "lost",
  "elsewhere",
  "exited",
  "unreachable",
  "terminated",
  "ended-by-staff",
  "failed",
  "failed-candidate",
  "denied",
  "recorded",
  "endless",
];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Scenarios worth waiting for: what they show comes after a while. */
const PATIENCE = { lost: 2600, elsewhere: 1800, exited: 1800, unreachable: 3500, warning: 4500 };
/** What a candidate does first where a picture needs it. */
const ACTS = {
  recorded: async (page) => {
    await page.getByRole("button", { name: /input held/ }).click();
    await page.waitForTimeout(500);
  },
  search: async (page) => {
    await page.getByRole("button", { name: "Find in the terminal" }).click();
    await page.keyboard.type("task");
    await page.waitForTimeout(800);
  },
  help: async (page) => {
    await page.getByRole("button", { name: "Help" }).click();
    await page.waitForTimeout(300);
  },
  paste: async (page) => {
    await page.locator(".xterm-helper-textarea").evaluate((target) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "cd /etc\ncat hostname\nls -l\n");
      const how = { clipboardData, bubbles: true, cancelable: true };
      target.dispatchEvent(new ClipboardEvent("paste", how));
    });
    await page.waitForTimeout(300);
  },
};
/** Faults the scenario itself makes, which Chromium reports on the console. */
const EXPECTED = /Failed to load resource|WebSocket connection to/;

const chosen = process.argv.slice(2);
const scenarios = chosen.length > 0 ? chosen : SCENARIOS;
const faults = [];
let serial = 0;

async function draw(browser, address, scenario, theme, [size, [width, height]]) {
  serial += 1;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme === "light" ? "light" : "dark",
    contrast: theme === "contrast" ? "more" : "no-preference",
    hasTouch: size === "phone",
    isMobile: size === "phone",
  });
  const page = await context.newPage();
  const name = `${scenario}-${theme}-${size}`;
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !EXPECTED.test(text)) faults.push(`${name}: ${text}`);
  });
  page.on("pageerror", (error) => faults.push(`${name}: ${error.message}`));
  const id = `0198a000-0000-7000-8000-${String(serial).padStart(12, "0")}`;
  const path = ["recorded", "endless"].includes(scenario) ? "replay" : "exam";
  await page.goto(`${address}/${path}/${id}#token=${scenario}`);
  await page.waitForTimeout(PATIENCE[scenario] ?? 1000);
  await ACTS[scenario]?.(page);
  await page.screenshot({ path: `${OUT}/${name}.png` });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
  );
  if (overflow) faults.push(`${name}: the page is wider than the window`);
  const { violations } = await new AxeBuilder({ page }).exclude(".xterm").analyze();
  for (const { id: rule, help, nodes } of violations) {
    faults.push(`${name}: ${rule}: ${help}: ${nodes[0]?.html.slice(0, 120)}`);
  }
  await context.close();
}

/** The widest window and the third theme are looked at on the pages that differ most. */
function pictures() {
  const all = scenarios.flatMap((scenario) =>
    ["light", "dark", "contrast"].flatMap((theme) =>
      Object.entries(SIZES).map((size) => [scenario, theme, size]),
    ),
  );
  return all.filter(([scenario, theme, [size]]) => {
    const rare = theme === "contrast" || size === "wide";
    return !rare || ["running", "search", "initializing", "lost", "recorded"].includes(scenario);
  });
}

await mkdir(OUT, { recursive: true });
const mock = await startMock();
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
try {
  for (const [scenario, theme, size] of pictures()) {
    await draw(browser, mock.address, scenario, theme, size);
  }
} finally {
  await browser.close();
  mock.close();
}
for (const fault of new Set(faults)) console.error(fault);
console.log(`${serial} pictures in ${OUT}, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;
