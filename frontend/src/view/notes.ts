import { announce, hush } from "./announce";
import { el, setText } from "./dom";

export type Tone = "calm" | "warn" | "bad";

/** How long a passing note stays. */
const PASSING_MS = 8_000;

/** The lines under the bar: one that stays while something holds, and one that passes. */
export class Notes {
  readonly #lasting = el("p", { class: "note", hidden: true });
  readonly #passing = el("p", { class: "note", hidden: true });
  readonly root: HTMLElement;
  readonly #topic: string;
  #timer: number | undefined;

  /** `name` tells screen readers whose notes these are. */
  constructor(name = "Notices") {
    this.#topic = `what holds of ${name}`;
    const attributes = { "aria-label": name };
    this.root = el("section", { attributes }, this.#lasting, this.#passing);
  }

  /** Shows a line for eight seconds and announces it once. */
  pass(text: string, tone: Tone): void {
    show(this.#passing, text, tone);
    announce(text, { urgency: tone === "bad" ? "now" : "polite" });
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.#passing.hidden = true;
    }, PASSING_MS);
  }

  /** Shows a line until it is replaced or taken away by null; announces each change once. */
  hold(text: string | null, tone: Tone = "warn"): void {
    if (text === null) {
      this.#lasting.hidden = true;
      hush(this.#topic);
      return;
    }
    if (!this.#lasting.hidden && this.#lasting.textContent === text) return;
    show(this.#lasting, text, tone);
    announce(text, { topic: this.#topic });
  }
}

function show(line: HTMLElement, text: string, tone: Tone): void {
  setText(line, text);
  line.dataset["tone"] = tone;
  line.hidden = false;
}
