import type { StatusDocument } from "../api/types";
import { remainingMs } from "../clock/countdown";
import { durationWords, timeOfDay } from "../clock/words";
import { announce } from "./announce";
import { Bar } from "./bar";
import { el } from "./dom";
import type { Facts, View } from "./facts";
import { extendedFact, finalPage, intoFact, startedFact } from "./final";
import { causeWords, headline } from "./words";

/** failed: what happened in plain words, whose doing it was not, and what happens now. */
export class FailedView implements View {
  readonly #bar = new Bar();
  readonly #page = el("div", { class: "contents" });
  readonly root = el("div", { class: "contents" }, this.#bar.root, this.#page);
  #revision = -1;

  update(facts: Facts): void {
    this.#bar.update(facts);
    if (facts.document.revision === this.#revision) return;
    this.#revision = facts.document.revision;
    this.#page.replaceChildren(failedPage(facts.document));
  }

  shown(): void {
    const title = this.#page.querySelector("h1");
    title?.focus();
    announce(title?.textContent ?? "", { urgency: "now" });
  }
}

function failedPage(document: StatusDocument): HTMLElement {
  const { reason, ended_at } = document;
  const { title, rest } = headline(reason?.text || "Your environment has stopped.");
  return finalPage({
    title,
    lead: rest,
    facts: [
      ["Cause", reason === null ? null : causeWords(reason.attribution)],
      startedFact(document),
      ["Stopped", ended_at === null ? null : timeOfDay(ended_at)],
      intoFact("Time used", document),
      ["Time you had left", leftWords(document)],
      extendedFact(document),
      ["What now", "Tell the exam staff the reference below. They see what happened."],
    ],
    reference: reason?.reference ?? document.reference,
  });
}

function leftWords({ ends_at, ended_at }: StatusDocument): string | null {
  if (ended_at === null) return null;
  const left = remainingMs(ends_at, Date.parse(ended_at));
  return left === null ? null : durationWords(left);
}
