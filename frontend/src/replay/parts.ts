import { button, el } from "../view/dom";
import { type CastMoment, type CastOutline, clockOf } from "./cast";
import { recordingPath } from "./client";
import type { PlayerFrame } from "./player-frame";

const DOWNLOADS = [
  ["asciicast-v3", "For a player (asciicast v3)", "v3.cast"],
  ["asciicast-v2", "For an older player (asciicast v2)", "v2.cast"],
  ["raw", "The exact bytes", "raw"],
] as const;

/** The links to the recording in each format. */
export function downloadsOf(sessionId: string): HTMLElement {
  const links = DOWNLOADS.map(([format, label, ending]) => {
    const href = recordingPath(sessionId, format);
    const attributes = { href, download: `${sessionId}.${ending}` };
    return el("li", {}, el("a", { attributes }, label));
  });
  return el("ul", { class: "replay-list replay-downloads" }, ...links);
}

/** The moments that can be gone to. */
export function momentsOf(outline: CastOutline, player: PlayerFrame): HTMLElement {
  const items = outline.moments.map((moment) => momentOf(moment, player));
  return el("ol", { class: "replay-list replay-moments" }, ...items);
}

function momentOf(moment: CastMoment, player: PlayerFrame): HTMLElement {
  const go = button("replay-moment", "", () => player.seek(moment.seconds));
  go.append(
    el("span", { class: "replay-time" }, clockOf(moment.seconds)),
    el("span", {}, moment.label),
  );
  return el("li", moment.isGap ? { class: "replay-gap" } : {}, go);
}
