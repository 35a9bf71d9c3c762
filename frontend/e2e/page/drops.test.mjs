import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const question = (on) => on.page.getByRole("dialog", { name: "Paste this?" });

/** Lets something go over a part of the page as the system does, not as a script would. */
async function drop(on, selector, data) {
  const browser = await on.context.newCDPSession(on.page);
  const { x, y, width, height } = await on.page.locator(selector).first().boundingBox();
  const place = { x: x + width / 2, y: y + height / 2 };
  const dragged = { items: [], files: [], dragOperationsMask: 1, ...data };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await browser.send("Input.dispatchDragEvent", { type, ...place, data: dragged });
  }
  await browser.detach();
}

const text = (data) => ({ items: [{ mimeType: "text/plain", data }] });

it("a dropped file leaves the exam where it is, wherever it falls", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dropped-"));
  const file = join(folder, "notes.html");
  await writeFile(file, "<title>gone</title>");
  const on = await (await open()).connected();
  const left = [];
  on.page.on("framenavigated", (frame) => left.push(frame.url()));
  on.context.on("page", (page) => left.push(page.url()));
  for (const part of [".xterm-screen", ".bar", ".foot"]) await drop(on, part, { files: [file] });
  await on.typesOnly("");
  expect(left).toEqual([]);
  expect(await on.page.title()).toBe("Linux fundamentals");
  await on.close();
  await rm(folder, { recursive: true });
});

it("dropped text is a paste: one line at once, several after a question, no control characters", async () => {
  const on = await (await open()).connected();
  await drop(on, ".xterm-screen", text("ls\u001b[201~"));
  await on.types("ls[201~");
  await drop(on, ".xterm-screen", text("one\ntwo\n"));
  await question(on).waitFor();
  await question(on).getByRole("button", { name: "Paste", exact: true }).click();
  await on.types("ls[201~one\rtwo\r");
  await on.close();
});

it("text can be dropped into the search", async () => {
  const on = await (await open()).connected();
  await on.page.keyboard.press("Control+Shift+F");
  const search = on.page.getByRole("searchbox");
  await search.waitFor();
  await drop(on, ".find input", text("needle"));
  await expect.poll(() => search.inputValue(), SOON).toBe("needle");
  await on.typesOnly("");
  await on.close();
});
