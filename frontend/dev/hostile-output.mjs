// Output as a hostile program may write it, for whatever shows output: the grid and the replay.

export const ESC = "\x1b";
export const ST = `${ESC}\\`;
export const CANARY = "rm -rf canary";

/** What hostile output may try, and the only thing that may come back: nothing, or a fixed answer. */
export const CORPUS = [
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
