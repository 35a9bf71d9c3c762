// What a candidate does in the terminal while networks drop and pages reload; each step leaves a
// shell at its prompt.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SOON_MS } from "./tab.mjs";

/** Few enough to be counted by the page's own search. */
const LINES = 900;

/** What stands in each line that `COUNTING` prints, and neither in the command nor in its end. */
const lineOf = (name) => `${name}42-`;

/** Prints numbered lines over some six seconds, then says that it is done. */
const COUNTING = (name) =>
  `clear; for i in $(seq ${LINES}); do echo ${name}$((6*7))-$i.; [ $((i % 30)) = 0 ] && sleep 0.2; ` +
  `done; echo ${name}-done`;

/** Waits until the lines are being printed, and sees that they are not all there. */
async function amid(tab, name) {
  const { input } = await tab.prints(new RegExp(`^${lineOf(name)}\\d+\\.$`, "m"));
  assert.doesNotMatch(input, new RegExp(`^${name}-done$`, "m"));
}

/** Runs the steps in `tab`, whose terminal is connected and readable, and `wire` what it hears. */
export async function terminalStory(t, tab, wire) {
  await t.test("the grid is a list of rows to a screen reader", async () => {
    await tab.command("clear; echo heard-$((3*4))");
    await tab.prints(/^heard-12$/m);
    const rows = tab.page.locator(".xterm-accessibility-tree [role=listitem]");
    assert.equal(await rows.count(), await tab.gridRows());
    assert.equal(await rows.first().getAttribute("aria-posinset"), "1");
  });

  await t.test("a reload amid output loses no byte and doubles none", async () => {
    await tab.command(COUNTING("reload"));
    await amid(tab, "reload");
    await tab.page.reload();
    await tab.connected();
    await tab.prints(/^reload-done$/m);
    assert.equal(await tab.count(lineOf("reload")), LINES);
    wire.assertWhole();
    await tab.picture("terminal-1-reloaded");
  });

  await t.test(
    "without network it says so, and comes back to what was printed meanwhile",
    async () => {
      await tab.command(COUNTING("away"));
      await amid(tab, "away");
      await tab.page.context().setOffline(true);
      await wire.cut();
      await tab.card(/This computer has no network/);
      await tab.picture("terminal-2-offline");
      await tab.page.context().setOffline(false);
      await tab.connected();
      await tab.prints(/^away-done$/m);
      assert.equal(await tab.count(lineOf("away")), LINES);
      wire.assertWhole();
    },
  );

  await t.test("a paste stays a paste: what would end its brackets is taken out", async () => {
    await tab.command("clear");
    await tab.paste("echo safe\u001b[201~\necho broken-$((1+1))-out\n");
    await tab.prints(/broken-\$\(\(1\+1\)\)-out/);
    await tab.page.keyboard.press("Control+C");
    await tab.command("echo after-$((2+3))");
    assert.doesNotMatch((await tab.prints(/^after-5$/m)).input, /broken-2-out/);
  });

  await t.test("a large paste is confirmed and arrives byte for byte", async () => {
    const pasted = Array.from({ length: 2_000 }, (_, at) => `${at} é🎓€ line`).join("\n");
    await tab.command("clear; echo ready-$((1+1)); cat > pasted.txt");
    await tab.prints(/^ready-2$/m);
    await tab.paste(`${pasted}\n`);
    const question = tab.page.getByRole("dialog", { name: "Paste this?" });
    await question.getByRole("button", { name: "Paste", exact: true }).click();
    await tab.prints(/^1999 .+ line$/m);
    await tab.page.keyboard.press("Control+D");
    await tab.command("clear; sha256sum < pasted.txt | cut -c1-32");
    const [hash] = await tab.prints(/^[\da-f]{32}$/m);
    const expected = createHash("sha256").update(`${pasted}\n`).digest("hex");
    assert.equal(hash, expected.slice(0, 32));
  });

  await t.test("the documented keys leave the grid, and the button leads back", async () => {
    await tab.page.keyboard.press("Control+Shift+L");
    const back = tab.page.getByRole("button", { name: "Back to the terminal" });
    await back.waitFor({ timeout: SOON_MS });
    assert.ok(await back.evaluate((button) => button === document.activeElement));
    await back.press("Enter");
    await tab.command("echo back-$((4+4))");
    await tab.prints(/^back-8$/m);
  });
}
