import { announce } from "./announce";
import type { Card } from "./card";
import { el, setData } from "./dom";

/** The cards over the grid, one at a time. While one is up, the grid is dimmed and locked. */
export class Curtain {
  readonly root = el("div", { class: "cards", hidden: true });
  readonly #grid: HTMLElement;
  readonly #lock: (locked: boolean) => void;
  #card: Card | null = null;

  constructor(grid: HTMLElement, lock: (locked: boolean) => void) {
    this.#grid = grid;
    this.#lock = lock;
  }

  /** The card that is up; null while the grid can be used. */
  get card(): Card | null {
    return this.#card;
  }

  /** Puts a card up, and says it at once. */
  draw(card: Card): void {
    this.#show(card);
    announce(`${card.title}. ${card.text}`, { urgency: "now", topic: "connection" });
  }

  /** Takes the card away; returns whether there was one. */
  lift(): boolean {
    const wasDrawn = this.#card !== null;
    this.#show(null);
    return wasDrawn;
  }

  #show(card: Card | null): void {
    this.#card = card;
    this.#lock(card !== null);
    setData(this.#grid, "veiled", String(card !== null));
    this.root.hidden = card === null;
    this.root.replaceChildren(...(card === null ? [] : [card.root]));
  }
}
