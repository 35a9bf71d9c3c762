import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const BRACKETS_ON = "\x1b[?2004h";
const BRACKETS_OFF = "\x1b[?2004l";
const question = (on) => on.page.getByRole("dialog", { name: "Paste this?" });

it("one line is pasted at once; several are shown first, and not pasting is the safe answer", async () => {
  const on = await (await open()).connected();
  await on.paste("ls");
  await on.types("ls");
  await on.paste("one\ntwo\n");
  await question(on).waitFor();
  expect(await question(on).textContent()).toContain("It has 2 lines, run by the shell");
  expect(await on.focused()).toBe("Do not paste");
  await on.page.keyboard.press("Escape");
  await question(on).waitFor({ state: "detached" });
  await on.paste("one\r\ntwo\n");
  await question(on).getByRole("button", { name: "Paste", exact: true }).click();
  await on.types("lsone\rtwo\r");
  await expect.poll(() => on.focused(), SOON).toBe("Terminal input");
  await on.close();
});

it("within brackets several lines are no question, and no text leaves the brackets", async () => {
  const on = await (await open()).connected();
  await on.print(BRACKETS_ON);
  await on.paste("one\ntwo \x1b[201~; rm -rf ~\n\x9b201~x\x00\x7f");
  await on.types("\x1b[200~one\rtwo [201~; rm -rf ~\r201~x\x1b[201~");
  await on.close();
});

it("a program that ends its brackets while the question is read is asked about again", async () => {
  const on = await (await open()).connected();
  await on.print(BRACKETS_ON);
  await on.paste("line\n".repeat(1_000));
  await question(on).waitFor();
  expect(await question(on).textContent()).toContain("It has 5,000 characters in 1,000 lines.");
  await on.print(BRACKETS_OFF);
  await question(on).getByRole("button", { name: "Paste", exact: true }).click();
  await question(on).getByText("run by the shell as soon as it is pasted").waitFor();
  await on.page.keyboard.press("Escape");
  await question(on).waitFor({ state: "detached" });
  await on.typesOnly("");
  await on.close();
});

it("a large paste arrives whole within credit, no character or marker parted", async () => {
  const on = await (await open()).connected();
  on.terminal.credit = 5_001;
  await on.print(BRACKETS_ON);
  const pasted = "é🎓€ab".repeat(5_000);
  await on.paste(pasted);
  await question(on).getByRole("button", { name: "Paste", exact: true }).click();
  await on.types(`\x1b[200~${pasted}\x1b[201~`);
  const strict = new TextDecoder("utf-8", { fatal: true });
  expect(() => on.terminal.pieces.map((piece) => strict.decode(piece))).not.toThrow();
  expect(Math.max(...on.terminal.pieces.map((piece) => piece.length))).toBeLessThanOrEqual(4_096);
  await on.close();
});

it("the key pastes, the menu's paste is the same, and dropped text is no way around", async () => {
  const on = await (await open()).connected();
  await on.page.evaluate(() => navigator.clipboard.writeText("kept"));
  await on.page.keyboard.press("Control+Shift+V");
  await on.types("kept");
  await on.page.locator(".grid-host").evaluate((host) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData("text/plain", "a\nb");
    const how = { dataTransfer, bubbles: true, cancelable: true };
    host.querySelector(".xterm-screen").dispatchEvent(new DragEvent("drop", how));
  });
  await question(on).waitFor();
  await on.page.keyboard.press("Escape");
  await question(on).waitFor({ state: "detached" });
  await on.typesOnly("kept");
  await on.close();
});

it("a paste confirmed during a break goes to the same shell once it is back", async () => {
  const on = await (await open()).connected();
  await on.paste("one\ntwo\n");
  await question(on).waitFor();
  on.terminal.takes = false;
  await on.terminal.close(1011);
  await on.page.locator(".card", { hasText: "Reconnecting" }).waitFor();
  await question(on).getByRole("button", { name: "Paste", exact: true }).click();
  await question(on).waitFor({ state: "detached" });
  on.terminal.takes = true;
  await on.connected();
  await on.types("one\rtwo\r");
  await on.close();
});

it("a paste meant for a shell that is gone is not typed into the next, and can be copied", async () => {
  const on = await (await open()).connected();
  await on.paste("one\ntwo\n");
  await question(on).waitFor();
  on.terminal.becomesAnother();
  await on.terminal.close(1011);
  await expect.poll(() => on.terminal.hellos.length, SOON).toBe(2);
  await question(on).getByRole("button", { name: "Paste", exact: true }).click();
  const kept = on.page.getByRole("dialog", { name: "Not pasted: the shell has changed" });
  await kept.waitFor();
  expect(await kept.getByRole("textbox").inputValue()).toBe("one\ntwo\n");
  await kept.getByRole("button", { name: "Copy" }).click();
  const copied = () => on.page.evaluate(() => navigator.clipboard.readText());
  await expect.poll(copied, SOON).toBe("one\ntwo\n");
  await kept.getByRole("button", { name: "Close" }).click();
  await kept.waitFor({ state: "detached" });
  await on.typesOnly("");
  await on.close();
});

it("a question goes with the terminal that it was about", async () => {
  const on = await (await open()).connected();
  await on.paste("one\ntwo\n");
  await question(on).waitFor();
  on.change({ state: "terminated", ended_at: new Date().toISOString(), can_end: false });
  await expect.poll(() => on.page.locator("dialog").count(), SOON).toBe(0);
  await on.page.getByRole("heading", { level: 1 }).waitFor();
  expect(on.terminal.typed.toString()).toBe("");
  await on.close();
});
