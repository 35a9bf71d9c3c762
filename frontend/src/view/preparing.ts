import type { Stage, StatusDocument } from "../api/types";
import { elapsedWords } from "../clock/words";
import { announce } from "./announce";
import { Bar } from "./bar";
import { el, icon, setData, setText } from "./dom";
import type { Facts, View } from "./facts";
import { Notes } from "./notes";
import { unreachableWords } from "./unreachable";
import { stageWords } from "./words";

interface Row {
  readonly item: HTMLElement;
  readonly mark: HTMLElement;
  readonly words: HTMLElement;
  readonly detail: HTMLElement;
  readonly took: HTMLElement;
}

/** created, initializing: the stages as the server reports them, each with its own time. */
export class PreparingView implements View {
  readonly #bar = new Bar();
  readonly #notes = new Notes();
  readonly #title = el("h1", { tabIndex: -1 }, "Preparing your environment");
  readonly #lead = el("p", { class: "lead" });
  readonly #list = el("ol", { class: "stages" });
  readonly #budget = el("p", { class: "budget" });
  readonly #rows = new Map<string, Row>();
  #announced = "";
  readonly root: HTMLElement;

  constructor() {
    const column = el(
      "div",
      { class: "column" },
      this.#title,
      this.#lead,
      this.#list,
      this.#budget,
    );
    const main = el("main", { class: "centre" }, column);
    this.root = el("div", { class: "contents" }, this.#bar.root, this.#notes.root, main);
  }

  update(facts: Facts): void {
    const { document, now } = facts;
    this.#bar.update(facts);
    this.#notes.hold(unreachableWords(facts.reachability, false));
    setText(this.#lead, leadWords(document));
    setText(this.#budget, budgetWords(document, now));
    for (const stage of document.stages) this.#stage(stage, document, now);
  }

  #stage(stage: Stage, document: StatusDocument, now: number | null): void {
    const row = this.#rows.get(stage.name) ?? this.#row(stage.name);
    if (row.item.dataset["stage"] !== stage.state) {
      setData(row.item, "stage", stage.state);
      row.mark.replaceChildren(icon(stage.state));
    }
    if (stage.state === "active") row.item.setAttribute("aria-current", "step");
    else row.item.removeAttribute("aria-current");
    const words = stageWords(stage.name, stage.state);
    setText(row.words, words);
    const elapsed = elapsedMs(stage, now);
    setText(row.took, elapsed === null ? "" : elapsedWords(elapsed));
    setText(row.detail, detailWords(stage, document, elapsed));
    if (stage.state === "active" && this.#announced !== words) {
      this.#announced = words;
      announce(words, { topic: "stage" });
    }
  }

  #row(name: string): Row {
    const mark = el("span", { class: "mark" });
    const words = el("span");
    const detail = el("small");
    const took = el("span", { class: "took" });
    const item = el("li", {}, mark, el("span", { class: "what" }, words, detail), took);
    const row = { item, mark, words, detail, took };
    this.#rows.set(name, row);
    this.#list.append(item);
    return row;
  }
}

function elapsedMs(stage: Stage, now: number | null): number | null {
  if (stage.started_at === null || stage.state === "pending") return null;
  const end = stage.ended_at === null ? now : Date.parse(stage.ended_at);
  return end === null ? null : Math.max(0, end - Date.parse(stage.started_at));
}

function detailWords(stage: Stage, document: StatusDocument, elapsed: number | null): string {
  if (stage.state !== "active") return "";
  if (document.reason !== null) return document.reason.text;
  const late = elapsed !== null && stage.usual_ms !== null && elapsed > lateAfterMs(stage.usual_ms);
  return late ? "Taking longer than usual. Nothing for you to do." : "";
}

/** Twice the usual time, and two seconds at least: less is not worth anybody's worry. */
function lateAfterMs(usualMs: number): number {
  return Math.max(2 * usualMs, usualMs + 2_000);
}

function leadWords(document: StatusDocument): string {
  const usual = document.stages.reduce((sum, stage) => sum + (stage.usual_ms ?? 0), 0);
  const time = document.clock.starts_at_attach ? " Your time has not started." : "";
  if (usual === 0) return `This page goes on by itself.${time}`;
  return `Usually under ${Math.max(1, Math.ceil(usual / 1000))} seconds.${time}`;
}

function budgetWords(document: StatusDocument, now: number | null): string {
  if (document.ready_by === null || now === null) return "";
  const seconds = Math.ceil((Date.parse(document.ready_by) - now) / 1000);
  const again = document.attempt > 1 ? `This is try ${document.attempt}. ` : "";
  if (seconds <= 0) return `${again}The time for this is up; the exam server is deciding.`;
  return `${again}At most ${seconds} s more. If it is not ready by then, this page says so.`;
}
