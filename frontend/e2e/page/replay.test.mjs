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
    .poll(() => page.textContent(".ap-player"), SOON)
    .toMatch(/candidate@exam.*task\.txt/s);
  expect(await page.title()).toBe("Recording");
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
