import type { StatusDocument } from "../api/types";
import { timeOfDay } from "../clock/words";
import { announce } from "./announce";
import { Bar } from "./bar";
import { el } from "./dom";
import type { Facts, View } from "./facts";
import { extendedFact, finalPage, intoFact, startedFact } from "./final";
import { headline } from "./words";

/** terminated: how it ended, when, by whom if it was staff, and the reference. */
export class TerminatedView implements View {
  readonly #bar = new Bar();
  readonly #page = el("div", { class: "contents" });
  readonly root = el("div", { class: "contents" }, this.#bar.root, this.#page);
  #revision = -1;

  update(facts: Facts): void {
    this.#bar.update(facts);
    if (facts.document.revision === this.#revision) return;
    this.#revision = facts.document.revision;
    this.#page.replaceChildren(terminatedPage(facts.document));
  }

  shown(): void {
    const title = this.#page.querySelector("h1");
    title?.focus();
    announce(title?.textContent ?? "", { urgency: "now" });
  }
}

function terminatedPage(document: StatusDocument): HTMLElement {
  const { ending } = document;
  const { title, rest } = headline(ending?.text || "Your exam has ended.");
  const at = document.ended_at ?? ending?.at ?? null;
  return finalPage({
    title,
    lead: rest,
    facts: [
      startedFact(document),
      ["Ended", at === null ? null : timeOfDay(at)],
      [
        "Ended by",
        ending?.by === "staff" ? "Exam staff" : ending?.by === "candidate" ? "You" : null,
      ],
      intoFact("Time used", document),
      extendedFact(document),
    ],
    reference: document.reference,
  });
}
