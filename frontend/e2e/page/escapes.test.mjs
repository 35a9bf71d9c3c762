import { expect, it } from "vitest";
import { CORPUS, ESC, ST } from "../../dev/hostile-output.mjs";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();

it("nothing leaves the grid but answers whose form is fixed", async () => {
  const on = await (await open()).connected();
  await on.page.evaluate(() => navigator.clipboard.writeText("untouched"));
  const seen = [];
  on.context.on("page", () => seen.push("a window was opened"));
  on.page.on("request", (request) => seen.push(request.url()));
  for (const [at, [name, output, answer]] of CORPUS.entries()) {
    const before = on.terminal.typed.length;
    await on.print(output);
    // What is asked after it is answered after it: a mode that nothing else here asks for.
    const mode = 9_000 + at;
    const end = `${ESC}[?${mode};0$y`;
    await on.print(`${ST}${ESC}[?${mode}$p`);
    const typed = () => on.terminal.typed.subarray(before).toString("latin1");
    await expect.poll(() => typed().endsWith(end), SOON).toBe(true);
    const answered = typed().slice(0, -end.length);
    if (answer === undefined) expect(answered, name).toBe("");
    else expect(answered, name).toMatch(answer);
    expect(answered, name).not.toMatch(/[\r\n]|canary/);
    expect(await on.page.title(), name).toBe("Linux fundamentals");
  }
  expect(await on.page.evaluate(() => navigator.clipboard.readText())).toBe("untouched");
  expect(seen.filter((url) => !url.includes("/v1/"))).toEqual([]);
  expect(await on.page.locator(".xterm img, .xterm iframe").count()).toBe(0);
  await on.close();
});

it(
  "a title of ten megabytes is swallowed, and the grid goes on",
  { timeout: 400_000 },
  async () => {
    const on = await (await open()).connected();
    await on.print(`${ESC}]0;`);
    on.terminal.flood(Buffer.alloc(16 * 1024, "x"), 640);
    on.terminal.print("\x07done\r\n");
    const screen = async () => (await on.rows()).join("\n");
    await expect.poll(screen, { ...SOON, timeout: 300_000 }).toContain("done");
    await on.parsed();
    expect((await on.rows()).join("\n")).not.toContain("xxx");
    expect(await on.page.title()).toBe("Linux fundamentals");
    await on.page.keyboard.type("ls");
    await on.types("ls");
    await on.close();
  },
);

it("replayed output asks nothing of the shell a second time", async () => {
  const on = await (await open()).connected();
  const asked = CORPUS.filter(([, , answer]) => answer !== undefined);
  await on.print(asked.map(([, output]) => output).join(""));
  // The focus is reported as soon as a program asks for that.
  await on.print(`${ESC}[?1004h${ESC}[?1004l${ESC}[?9000$p`);
  const end = `${ESC}[?9000;0$y`;
  const typed = () => on.terminal.typed.toString("latin1");
  await expect.poll(() => typed().endsWith(end), SOON).toBe(true);
  const answers = typed();
  await on.page.reload();
  await on.connected();
  await on.parsed();
  await on.page.keyboard.type("x");
  await on.types(`${answers}x`);
  await on.close();
});

it("keys pressed while output is replayed arrive, Escape and arrows too", async () => {
  const on = await (await open()).connected();
  await on.print(`${ESC}[c`);
  await expect.poll(() => on.terminal.typed.toString("latin1"), SOON).toMatch(/c$/);
  const answer = on.terminal.typed.toString("latin1");
  let end;
  on.terminal.replaying = new Promise((resolve) => (end = resolve));
  await on.page.reload();
  await on.connected();
  for (const key of ["Escape", "ArrowUp", "Shift+F3", "i"]) await on.page.keyboard.press(key);
  await on.types(`${answer}${ESC}${ESC}[A${ESC}[1;2Ri`);
  end();
  await on.terminal.replaying;
  await on.print(`${ESC}[c`);
  await on.types(`${answer}${ESC}${ESC}[A${ESC}[1;2Ri${answer}`);
  await on.close();
});

it("a link of the output is shown and never followed", async () => {
  const on = await (await open()).connected();
  const opened = [];
  on.context.on("page", (page) => opened.push(page.url()));
  await on.print(
    `${ESC}]8;;https://evil.example/${ESC}\\https://bank.example/${ESC}]8;;${ESC}\\\r\n`,
  );
  await on.shows("https://bank.example/");
  const link = on.page.locator(".xterm-rows > div", { hasText: "bank.example" });
  const { x, y, height } = await link.boundingBox();
  await on.page.mouse.move(x + 40, y + height / 2);
  await on.page.mouse.move(x + 60, y + height / 2);
  await on.page.mouse.click(x + 60, y + height / 2);
  await on.page.locator(".note", { hasText: "goes to https://evil.example/." }).waitFor();
  expect(opened).toEqual([]);
  await on.close();
});
