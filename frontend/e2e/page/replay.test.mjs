import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();

it("plays a recording under its own policy and says what is missing", async () => {
  const replay = await open({ scenario: "recorded", path: "replay" });
  const { page } = replay;
  await page.getByRole("heading", { name: "Recording" }).waitFor();
  await expect
    .poll(() => page.textContent(".lead"), SOON)
    .toMatch(/for 0:53\. 2048 bytes are not on record/);
  expect(new URL(page.url()).hash).toBe("");
  const moments = await page.locator(".replay-moments li").allTextContents();
  expect(moments).toContain("0:442048 bytes not on record");
  expect(moments.at(-1)).toBe("0:53terminal left");
  await page.getByRole("button", { name: /2048 bytes/ }).click();
  await expect
    .poll(() => page.frameLocator("iframe").locator(".ap-player").textContent(), SOON)
    .toMatch(/candidate@exam.*task\.txt/s);
  expect(await page.title()).toBe("Recording");
  await replay.close();
});

it("plays in a frame that has no origin, no login and no way to the page or the server", async () => {
  const replay = await open({ scenario: "recorded", path: "replay" });
  const { page } = replay;
  await page.frameLocator("iframe").locator(".ap-player").waitFor();
  const [, frame] = page.frames();
  const reaches = (what) =>
    frame.evaluate(async (what) => {
      const ways = {
        origin: () => window.origin,
        cookies: () => document.cookie,
        storage: () => localStorage.length,
        page: () => window.parent.document.title,
        server: () => fetch("/v1/page-config", { credentials: "include" }).then(() => "answered"),
      };
      try {
        return await ways[what]();
      } catch {
        return "refused";
      }
    }, what);
  expect(await reaches("origin")).toBe("null");
  for (const what of ["cookies", "storage", "page", "server"]) {
    expect(await reaches(what), what).toBe("refused");
  }
  // The policy's own word on what the frame just tried.
  replay.faults.length = 0;
  await replay.close();
});

it("shows what a hostile program wrote, and nothing of it leaves the frame", async () => {
  const replay = await open({ scenario: "hostile", path: "replay" });
  const { page, context } = replay;
  await page.evaluate(() => navigator.clipboard.writeText("untouched"));
  await page.frameLocator("iframe").locator(".ap-player").waitFor();
  const seen = [];
  context.on("page", () => seen.push("a window was opened"));
  page.on("request", (request) => seen.push(request.url()));
  page.on("download", (download) => seen.push(download.url()));
  await page.locator(".replay-moments button").last().click();
  const player = page.frameLocator("iframe").locator(".ap-player");
  await expect.poll(() => player.textContent(), SOON).toContain("all of it was shown");
  expect(seen.filter((url) => !/^(?:blob|data):/.test(url))).toEqual([]);
  expect(await page.title()).toBe("Recording");
  const [, frame] = page.frames();
  expect(await frame.evaluate(() => document.title)).not.toContain("canary");
  expect(await frame.locator("img, iframe, object, embed, a").count()).toBe(0);
  // What was forged of the marks is their text.
  expect(await page.locator(".replay-moments img").count()).toBe(0);
  expect(await page.locator(".replay-moments").textContent()).toContain("onerror");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("untouched");
  expect(page.frames()).toHaveLength(2);
  await replay.close();
});

it("takes no more of a recording than a page holds, and says how to have it", async () => {
  const replay = await open({ scenario: "endless", path: "replay" });
  await replay.page
    .getByRole("heading", { name: "This recording is too long for a page" })
    .waitFor();
  const lead = await replay.page.textContent(".lead");
  expect(lead).toContain("It holds more than 32 MiB.");
  expect(lead).toContain(`carrel recordings export --session-id ${replay.id} --to <file>`);
  expect(await replay.page.locator(".replay-downloads a").count()).toBe(3);
  await replay.close();
});

it("offers every format to take along", async () => {
  const replay = await open({ scenario: "recorded", path: "replay" });
  const links = replay.page.locator(".replay-downloads a");
  await links.first().waitFor();
  const hrefs = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  const of = (format) => `/v1/sessions/${replay.id}/recording/${format}`;
  expect(hrefs).toEqual([of("asciicast-v3"), of("asciicast-v2"), of("raw")]);
  await replay.close();
});

it("tells whoever may not see it no more than anybody else", async () => {
  const replay = await open({ scenario: "denied", path: "replay" });
  await replay.page.getByRole("heading", { name: "Not available." }).waitFor();
  // The browser itself tells of the refused request.
  replay.faults.length = 0;
  await replay.close();
});
