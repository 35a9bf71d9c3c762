import { Problem } from "../api/problem";
import { announce } from "../view/announce";
import { deniedPage } from "../view/denied";
import { button, el } from "../view/dom";
import { MOST_MIB, TooLong } from "./bounded";
import { type CastOutline, clockOf, outlineOf } from "./cast";
import { login, recordingOf } from "./client";
import { downloadsOf, momentsOf } from "./parts";
import { PlayerFrame } from "./player-frame";

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
    const markers = outline.moments.map(({ seconds, label }): [number, string] => [seconds, label]);
    const player = new PlayerFrame(cast, markers);
    const beside = el(
      "div",
      {},
      el("h2", {}, "Moments"),
      momentsOf(outline, player),
      el("h2", {}, "Take it along"),
      downloadsOf(this.#sessionId),
    );
    this.#place.replaceChildren(
      el(
        "main",
        { class: "replay" },
        el("h1", { tabIndex: -1 }, "Recording"),
        el("p", { class: "lead" }, `Session ${this.#sessionId}. ${summaryOf(outline)}`),
        el("div", { class: "replay-parts" }, player.root, beside),
      ),
    );
    announce("The recording is here.");
  }

  #failed(failure: unknown): HTMLElement {
    if (failure instanceof Problem && failure.isDenial) return deniedPage();
    if (failure instanceof TooLong) {
      const command = `carrel recordings export --session-id ${this.#sessionId} --to <file>`;
      return this.#column("This recording is too long for a page", [
        `It holds more than ${MOST_MIB} MiB. Take it along and play it with asciinema, or have it written by `,
        el("code", {}, command),
        ".",
      ]);
    }
    const words = [
      "The exam server did not answer, or the answer broke off. ",
      el("code", {}, `carrel recordings verify --session-id ${this.#sessionId}`),
      " says whether the recording is whole.",
    ];
    const again = button("primary", "Try again", () => void this.#open());
    return this.#column("The recording could not be fetched", words, again);
  }

  /** Why there is nothing to see, what can be done, and the files all the same. */
  #column(title: string, lead: (string | Node)[], action: HTMLElement | null = null): HTMLElement {
    announce(title);
    const heading = el("h1", { tabIndex: -1 }, title);
    const words = el("p", { class: "lead" }, ...lead);
    const downloads = downloadsOf(this.#sessionId);
    const column = el("div", { class: "column" }, heading, words, action, downloads);
    return el("main", { class: "centre" }, column);
  }
}

function summaryOf(outline: CastOutline): string {
  const began = new Date(outline.beganAt).toLocaleString();
  const whole = `What the terminal showed, from ${began}, for ${clockOf(outline.seconds)}.`;
  return outline.missingBytes === 0
    ? `${whole} No gap is on record so far.`
    : `${whole} ${outline.missingBytes} bytes are not on record; the moments below say where.`;
}
