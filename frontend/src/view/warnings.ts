import { remainingMs, warningCrossed } from "../clock/countdown";
import { durationWords } from "../clock/words";
import type { Facts } from "./facts";
import type { Notes } from "./notes";

/** Says once each that 30, 15, 5 or 1 minutes are left, and that staff have added time. */
export class TimeWarnings {
  readonly #notes: Notes;
  #before: number | null = null;
  #extension: string | null | undefined;

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  update({ document, now }: Facts): void {
    const extended = document.last_extension;
    // The first document only tells where things stand; what it tells is no news.
    const isNews = this.#extension !== undefined && extended?.at !== this.#extension;
    this.#extension = extended?.at ?? null;
    if (isNews && extended !== null) {
      this.#notes.pass(`${durationWords(extended.by_ms)} added by staff.`, "calm");
    }
    const left = remainingMs(document.ends_at, now);
    if (left === null) return;
    const minutes = warningCrossed(this.#before, left);
    this.#before = left;
    if (minutes !== null) {
      const words = `${durationWords(minutes * 60_000)} left.`;
      this.#notes.pass(words, minutes === 1 ? "bad" : "warn");
    }
  }
}
