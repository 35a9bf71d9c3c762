import { formatCountdown, remainingMs, urgencyOf } from "../clock/countdown";
import { durationWords } from "../clock/words";
import { el, setData, setText } from "./dom";
import type { Facts } from "./facts";

/** How the terminal's connection is shown in the bar. */
export interface Link {
  readonly shape: "attached" | "waiting" | "stopped";
  readonly words: string;
  readonly figure: string;
}

/** The bar: which exam and whose, how the connection is, how long is left. */
export class Bar {
  readonly root: HTMLElement;
  readonly #exam = el("span", { class: "bar-exam" });
  readonly #user = el("span", { class: "bar-user" });
  readonly #dot = el("span", { class: "dot" });
  readonly #linkWords = el("span");
  readonly #figure = el("span", { class: "roomy" });
  readonly #link = el(
    "span",
    { class: "link", hidden: true },
    this.#dot,
    this.#linkWords,
    this.#figure,
  );
  readonly #length = el("span", { class: "roomy" });
  readonly #time = el("time", { attributes: { role: "timer", "aria-label": "Time left" } });
  readonly #mark = el("span", { class: "roomy" });
  readonly #countdown = el("span", { class: "countdown", hidden: true }, this.#time, this.#mark);

  constructor() {
    const name = el("div", { class: "bar-name" }, this.#exam, this.#user);
    this.root = el("header", { class: "bar" }, name, this.#length, this.#link, this.#countdown);
  }

  /** Shows the exam, and the countdown or the length where there is one. */
  update({ document, now, reachability }: Facts): void {
    setText(this.#exam, document.exam.title);
    setText(this.#user, document.user_id);
    this.#user.title = document.user_id;
    const over = document.state === "terminated" || document.state === "failed";
    const left = over ? null : remainingMs(document.ends_at, now);
    this.#countdown.hidden = left === null;
    setText(this.#length, over || left !== null ? "" : lengthWords(document));
    if (left === null) return;
    setText(this.#time, formatCountdown(left));
    setData(this.#countdown, "urgency", urgencyOf(left));
    setText(this.#mark, reachability === "reachable" ? "left" : "left, last known");
  }

  /** Shows the terminal's connection. */
  link(link: Link): void {
    this.#link.hidden = false;
    setData(this.#dot, "link", link.shape);
    setText(this.#linkWords, link.words);
    setText(this.#figure, link.figure === "" ? "" : `· ${link.figure}`);
  }
}

function lengthWords({ clock }: Facts["document"]): string {
  if (clock.duration_ms === null) return "";
  const length = durationWords(clock.duration_ms);
  return clock.starts_at_attach ? `${length}, counted from Start` : length;
}
