import { expect, it } from "vitest";
import { SOON, stage } from "./stage.mjs";

const { open } = stage();
const ESC = "\x1b";
const ST = `${ESC}\\`;
const CANARY = "rm -rf canary";

/** What hostile output may try, and the only thing that may come back: nothing, or a fixed answer. */
const CORPUS = [
  ["window title", `${ESC}]0;${CANARY}\x07`],
  ["icon title", `${ESC}]1;${CANARY}${ST}`],
  ["window title, the other number", `${ESC}]2;${CANARY}${ST}`],
  ["title pushed and popped", `${ESC}[22;0t${ESC}]2;${CANARY}\x07${ESC}[23;0t`],
  ["title report", `${ESC}]2;${CANARY}\x07${ESC}[21t`],
  ["icon title report", `${ESC}]1;${CANARY}\x07${ESC}[20t`],
  ["window reports", `${ESC}[11t${ESC}[13t${ESC}[14t${ESC}[15t${ESC}[16t${ESC}[18t${ESC}[19t`],
  [
    "window moved, sized, hidden, raised",
    `${ESC}[3;0;0t${ESC}[4;1;1t${ESC}[8;1;1t${ESC}[2t${ESC}[5t`,
  ],
  ["working directory", `${ESC}]7;file://host/${CANARY}\x07`],
  ["notification of iTerm", `${ESC}]9;${CANARY}\x07`],
  ["progress", `${ESC}]9;4;1;50\x07`],
  ["notification of kitty", `${ESC}]99;i=1:d=0;${CANARY}${ST}`],
  ["notification of rxvt", `${ESC}]777;notify;${CANARY};${CANARY}\x07`],
  ["clipboard written", `${ESC}]52;c;cm0gLXJmIGNhbmFyeQ==\x07`],
  ["clipboard read", `${ESC}]52;c;?\x07${ESC}]52;p;?${ST}`],
  ["clipboard of kitty", `${ESC}]5522;type=read;dGV4dC9wbGFpbg==${ST}`],
  ["file of iTerm", `${ESC}]1337;File=name=Y2FuYXJ5;inline=0:cm0gLXJm\x07`],
  ["image of iTerm", `${ESC}]1337;File=inline=1;width=9999:iVBORw0KGgo=\x07`],
  ["clipboard of iTerm", `${ESC}]1337;CopyToClipboard=\x07${CANARY}${ESC}]1337;EndCopy\x07`],
  ["address opened by iTerm", `${ESC}]1337;OpenURL=:aHR0cHM6Ly9jYW5hcnk=\x07`],
  [
    "focus stolen, badge, attention",
    `${ESC}]1337;StealFocus\x07${ESC}]1337;RequestAttention=yes\x07`,
  ],
  ["shell marks", `${ESC}]133;A\x07${ESC}]633;E;${CANARY}\x07`],
  ["sixel image", `${ESC}Pq#0;2;0;0;0#0~~@@vv@@~~$-${ST}`],
  ["capability query", `${ESC}P+q${Buffer.from(CANARY).toString("hex")}${ST}`],
  ["user-defined keys", `${ESC}P0;1|17/${Buffer.from(CANARY).toString("hex")}${ST}`],
  [
    "application and private strings",
    `${ESC}_${CANARY}${ST}${ESC}^${CANARY}${ST}${ESC}X${CANARY}${ST}`,
  ],
  ["answerback", "\x05"],
  ["keyboard protocol query", `${ESC}[?u${ESC}[>4;?m`],
  ["setting asked by its name", `${ESC}P$q${CANARY}${ST}`, /^\x1bP0\$r\x1b\\$/],
  ["setting asked", `${ESC}P$qm${ST}`, /^\x1bP1\$r[\d;:]*m\x1b\\$/],
  ["device", `${ESC}[c`, /^\x1b\[\?[\d;]+c$/],
  ["device, version", `${ESC}[>c`, /^\x1b\[>[\d;]+c$/],
  ["status and place", `${ESC}[5n${ESC}[6n`, /^\x1b\[0n\x1b\[\d+;\d+R$/],
  ["mode", `${ESC}[?2004$p`, /^\x1b\[\?2004;\d\$y$/],
  ["colours", `${ESC}]10;?${ST}${ESC}]11;?${ST}`, /^(?:\x1b\]1[01];rgb:[\da-f/]{14}\x1b\\){2}$/],
  ["colour of the palette", `${ESC}]4;1;?\x07`, /^\x1b\]4;1;rgb:[\da-f/]{14}\x1b\\$/],
  ["colour with text in it", `${ESC}]11;${CANARY}${ST}`],
  ["string never ended", `${ESC}]0;${CANARY}${ESC}[2J`],
];

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
