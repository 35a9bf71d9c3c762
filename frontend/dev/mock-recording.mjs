// A recording for looking at the replay page: a short exam with everything that can be in one.
import { Readable } from "node:stream";
import { CANARY, CORPUS, ESC, ST } from "./hostile-output.mjs";

const line = (event) => JSON.stringify(event);

export const RECORDING = `${[
  line({ version: 3, term: { cols: 80, rows: 24 }, timestamp: 1_764_500_000 }),
  line([0, "m", "attach"]),
  line([0.4, "o", "\x1b[1;32mcandidate@exam\x1b[0m:\x1b[1;34m~\x1b[0m$ "]),
  line([1.1, "o", "ls -l --color\r\n"]),
  line([0.1, "o", "total 4\r\n-rw-r--r-- 1 candidate candidate 12 task.txt\r\n"]),
  line([0.3, "o", "\x1b[1;32mcandidate@exam\x1b[0m:~$ "]),
  line([2, "r", "100x30"]),
  line([1, "m", "detach"]),
  line([40, "m", "gap: 2048 bytes missed"]),
  line([0, "m", "attach"]),
  line([0.5, "o", "\x1b]0;forged title\x07\u65e5\u672c\u8a9e \x1b[4munderlined\x1b[0m\r\n"]),
  line([3, "m", "freeze"]),
  line([4, "m", "thaw"]),
  line([1, "o", "exit\r\n"]),
  line([0, "x", "0"]),
  line([0, "m", "detach"]),
].join("\n")}\n`;

const MARKUP = `<img src="/assets/canary" onerror="document.title = '${CANARY}'">`;

/** A recording of everything that a hostile program may write, each with what may be forged around it. */
export const HOSTILE = `${[
  line({
    version: 3,
    term: { cols: 80, rows: 24, type: MARKUP },
    timestamp: 1_764_500_000,
    title: MARKUP,
    command: MARKUP,
  }),
  line([0, "m", "attach"]),
  ...CORPUS.flatMap(([, output]) => [
    line([0.1, "o", `${output}${ST}`]),
    line([0.1, "o", `${MARKUP}${ESC}[2J${ESC}[H`]),
  ]),
  line([0.1, "m", MARKUP]),
  line([0.1, "i", MARKUP]),
  line([0.1, "o", "all of it was shown\r\n"]),
  line([1, "m", "detach"]),
].join("\n")}\n`;

/** A recording that does not end by itself. */
export function endless() {
  const event = `${line([0.01, "o", "x".repeat(64 * 1024)])}\n`;
  const lines = function* () {
    yield RECORDING;
    for (;;) yield event;
  };
  return Readable.from(lines());
}
