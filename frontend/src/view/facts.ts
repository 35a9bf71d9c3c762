import type { StatusDocument } from "../api/types";
import type { Reachability } from "../status/feed";

/** Everything a view may show: the server's document, its time now, and how it answers. */
export interface Facts {
  readonly document: StatusDocument;
  /** The server's time in epoch milliseconds; null while unknown. */
  readonly now: number | null;
  readonly reachability: Reachability;
}

/** One state of the page. */
export interface View {
  readonly root: HTMLElement;
  /** Shows new facts; called on each document and several times a second. */
  update(facts: Facts): void;
  /** Called once it is in the page. */
  shown?(): void;
  /** Called before it leaves the page. */
  dispose?(): void;
}
