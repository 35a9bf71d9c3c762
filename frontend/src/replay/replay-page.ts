import "asciinema-player/dist/bundle/asciinema-player.css";
import { create, type Player } from "asciinema-player";
import { Problem } from "../api/problem";
import { announce } from "../view/announce";
import { deniedPage } from "../view/denied";
import { button, el } from "../view/dom";
import { type CastMoment, type CastOutline, clockOf, outlineOf } from "./cast";
import { login, recordingOf, recordingPath } from "./client";

const DOWNLOADS = [
  ["asciicast-v3", "For a player (asciicast v3)", "v3.cast"],
  ["asciicast-v2", "For an older player (asciicast v2)", "v2.cast"],
  ["raw", "The exact bytes", "raw"],
] as const;

/** The page that replays what one session's terminal showed, for those who watch over exams. */
export class ReplayPage {
  readonly #sessionId: string;
  readonly #place: HTMLElement;
  /** The link's token until it has been exchanged for the login. */
  #token: string | null = null;

  constructor(sessionId: string, place: HTMLElement) {
    this.#sessionId = sessionId;
    this.#place = place;
  }

  /** Logs in with the link's token if there is one, then fetches and shows the recording. */
  async run(token: string | null): Promise<void> {
    this.#token = token;
    await this.#open();
  }

  async #open(): Promise<void> {
    try {
      if (this.#token !== null) await login(this.#token);
      this.#token = null;
      this.#show(await recordingOf(this.#sessionId));
    } catch (failure) {
      this.#place.replaceChildren(this.#failed(failure));
    }
    this.#place.querySelector("h1")?.focus();
  }

  #show(cast: string): void {
    const outline = outlineOf(cast);
    const screen = el("div", { class: "replay-screen" });
    const moments = el("ol", { class: "replay-list replay-moments" });
    this.#place.replaceChildren(
      el(
        "main",
        { class: "replay" },
        el("h1", { tabIndex: -1 }, "Recording"),
        el("p", { class: "lead" }, `Session ${this.#sessionId}. ${summaryOf(outline)}`),
        el(
          "div",
          { class: "replay-parts" },
          screen,
          el(
            "div",
            {},
            el("h2", {}, "Moments"),
            moments,
            el("h2", {}, "Take it along"),
            this.#downloads(),
          ),
        ),
      ),
    );
    const markers = outline.moments.map(({ seconds, label }): [number, string] => [seconds, label]);
    // What is forged in a title or an attribute of the text stays text: the player runs none of it.
    const player = create({ data: cast }, screen, { fit: "both", markers });
    moments.append(...outline.moments.map((moment) => momentOf(moment, player, screen)));
    announce("The recording is here.");
  }

  #downloads(): HTMLElement {
    const links = DOWNLOADS.map(([format, label, ending]) =>
      el(
        "li",
        {},
        el(
          "a",
          {
            attributes: {
              href: recordingPath(this.#sessionId, format),
              download: `${this.#sessionId}.${ending}`,
            },
          },
          label,
        ),
      ),
    );
    return el("ul", { class: "replay-list replay-downloads" }, ...links);
  }

  #failed(failure: unknown): HTMLElement {
    if (failure instanceof Problem && failure.isDenial) return deniedPage();
    announce("The recording could not be fetched.");
    return el(
      "main",
      { class: "centre" },
      el(
        "div",
        { class: "column" },
        el("h1", { tabIndex: -1 }, "The recording could not be fetched"),
        el(
          "p",
          { class: "lead" },
          "The exam server did not answer, or the answer broke off. `carrel recordings verify` says whether the recording is whole.",
        ),
        button("primary", "Try again", () => void this.#open()),
        this.#downloads(),
      ),
    );
  }
}

function summaryOf(outline: CastOutline): string {
  const began = new Date(outline.beganAt).toLocaleString();
  const whole = `What the terminal showed, from ${began}, for ${clockOf(outline.seconds)}.`;
  return outline.missingBytes === 0
    ? `${whole} No gap is on record so far.`
    : `${whole} ${outline.missingBytes} bytes are not on record; the moments below say where.`;
}

function momentOf(moment: CastMoment, player: Player, screen: HTMLElement): HTMLElement {
  const go = button("replay-moment", "", () => {
    void player.seek(moment.seconds);
    screen.scrollIntoView({ block: "nearest" });
  });
  go.append(
    el("span", { class: "replay-time" }, clockOf(moment.seconds)),
    el("span", {}, moment.label),
  );
  return el("li", moment.isGap ? { class: "replay-gap" } : {}, go);
}
