import type { StatusDocument } from "../api/types";
import { durationWords, timeOfDay } from "../clock/words";
import { el } from "./dom";

/** A row of the final page: what, and its value. */
export type Fact = readonly [what: string, value: string | null];

interface FinalPage {
  readonly title: string;
  readonly lead: string;
  readonly facts: readonly Fact[];
  readonly reference: string;
}

/** Lays out a final page; rows without a value are left out. */
export function finalPage(page: FinalPage): HTMLElement {
  const list = el("dl", { class: "facts" });
  for (const [what, value] of page.facts) {
    if (value !== null) list.append(el("dt", {}, what), el("dd", {}, value));
  }
  const reference = el(
    "p",
    { class: "reference" },
    "Reference ",
    el("code", {}, page.reference),
    ". Please quote it if you contact anyone about this exam.",
  );
  const column = el(
    "div",
    { class: "column" },
    el("h1", { tabIndex: -1 }, page.title),
    page.lead === "" ? null : el("p", { class: "lead" }, page.lead),
    list,
    reference,
  );
  return el("main", { class: "centre" }, column);
}

/** When the candidate's time began; null if it never did. */
export function startedFact({ running_at }: StatusDocument): Fact {
  return ["Started", running_at === null ? null : timeOfDay(running_at)];
}

/** Extra time given by staff; null if none was. */
export function extendedFact({ extended_ms }: StatusDocument): Fact {
  return ["Added by staff", extended_ms > 0 ? durationWords(extended_ms) : null];
}

/** How far into the exam the end came; null if it never began. */
export function intoFact(what: string, { running_at, ended_at }: StatusDocument): Fact {
  if (running_at === null || ended_at === null) return [what, null];
  return [what, durationWords(Date.parse(ended_at) - Date.parse(running_at))];
}
