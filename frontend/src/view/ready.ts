import type { StatusDocument } from "../api/types";
import { durationWords, timeOfDay } from "../clock/words";
import { announce } from "./announce";
import { Bar } from "./bar";
import { button, el, setText } from "./dom";
import type { Facts, View } from "./facts";
import { Notes } from "./notes";
import { unreachableWords } from "./unreachable";

/** ready: one button, focused, and what pressing it does to the clock. */
export class ReadyView implements View {
  readonly #bar = new Bar();
  readonly #notes = new Notes();
  readonly #lead = el("p", { class: "lead", id: "start-means" });
  readonly #start: HTMLButtonElement;
  readonly root: HTMLElement;

  constructor(start: () => void) {
    this.#start = button("primary start", "Start", start);
    this.#start.setAttribute("aria-describedby", "start-means");
    const points = el(
      "ul",
      { class: "points" },
      el("li", {}, "The terminal opens in this page."),
      el("li", {}, "If your connection drops, your shell goes on and you come back to it."),
      el("li", {}, "The time left is always at the top right."),
    );
    const column = el(
      "div",
      { class: "column" },
      el("h1", {}, "Your environment is ready"),
      this.#lead,
      points,
      el("div", { class: "actions" }, this.#start),
    );
    const main = el("main", { class: "centre" }, column);
    this.root = el("div", { class: "contents" }, this.#bar.root, this.#notes.root, main);
  }

  update(facts: Facts): void {
    this.#bar.update(facts);
    this.#notes.hold(unreachableWords(facts.reachability, facts.document.ends_at !== null));
    setText(this.#lead, startWords(facts.document));
    const startable = facts.document.can_attach;
    if (this.#start.disabled === startable) this.#start.disabled = !startable;
  }

  shown(): void {
    announce("Your environment is ready.");
    this.#start.focus();
  }
}

function startWords({ clock, ends_at }: StatusDocument): string {
  if (clock.starts_at_attach && clock.duration_ms !== null) {
    return `You have ${durationWords(clock.duration_ms)}. The clock starts when you press Start.`;
  }
  if (ends_at !== null) return `The exam ends at ${timeOfDay(ends_at)}, whenever you start.`;
  return "Press Start to open your terminal.";
}
