import type { Notice } from "../terminal/frames";
import { frozenWords } from "./frozen-words";
import type { Notes } from "./notes";

/**
 * Says what the terminal process has to say, outside the grid, where output cannot forge it.
 * How long is left is the status document's business and not repeated from here.
 */
export function showNotice(notice: Notice, notes: Notes): void {
  switch (notice.code) {
    case "throttled":
      return notes.pass(
        "Input comes faster than allowed, so it is sent more slowly. Nothing is lost.",
        "calm",
      );
    case "frozen":
      return notes.hold(frozenWords(notice.text));
    case "thawed":
      return notes.hold(null);
    case "draining":
      return notes.pass("The terminal server restarts; you will be reconnected.", "calm");
    case "proctor":
      return notes.pass(`Exam staff: ${String(notice.args?.["message"] ?? notice.text)}`, "warn");
    default:
  }
}
