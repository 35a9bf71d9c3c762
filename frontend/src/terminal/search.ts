import type { ISearchOptions, SearchAddon } from "@xterm/addon-search";
import type { Terminal } from "@xterm/xterm";
import { token } from "./theme";

/**
 * What to look for in the screen and what scrolled off it: plain text. A pattern that somebody
 * writes may take longer than an exam on one line of output, and the add-on looks in the page's
 * own thread, again with each output.
 */
export interface Query {
  readonly text: string;
  readonly caseSensitive: boolean;
  readonly wholeWord: boolean;
}

/** What was found: `index` counts from zero and is -1 where it is not known. */
export type Found =
  | { readonly outcome: "found"; readonly index: number; readonly count: number }
  /** More than are counted and marked. */
  | { readonly outcome: "many"; readonly atLeast: number }
  | { readonly outcome: "nothing" };

/** Marking more would make each drawing slow. */
const MOST_MARKED = 1_000;

/** Looks for text in the grid. Its code is fetched when somebody first searches. */
export class Search {
  readonly #terminal: Terminal;
  #addon: Promise<SearchAddon> | null = null;
  #last: Query | null = null;
  #listener: (found: Found) => void = () => undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Calls `listener` with what is found, also when new output changes it. */
  report(listener: (found: Found) => void): void {
    this.#listener = listener;
  }

  /** Goes to the next place, or the one before; a changed query begins where the last one was. */
  async find(query: Query, direction: "next" | "previous" | "same"): Promise<void> {
    const before = this.#last;
    this.#last = query;
    const addon = await this.#loaded();
    if (this.#last !== query) return;
    // The add-on 0.16 looks anew for another text only, not for the same in another way.
    if (before === null || howOf(before) !== howOf(query)) addon.clearDecorations();
    if (query.text === "") {
      addon.clearDecorations();
      this.#listener({ outcome: "nothing" });
      return;
    }
    const options = optionsOf(query);
    if (direction === "previous") addon.findPrevious(query.text, options);
    else addon.findNext(query.text, { ...options, incremental: direction === "same" });
  }

  /** Takes the marks away; what was found last stays selected, to be copied. */
  async end(): Promise<void> {
    this.#last = null;
    if (this.#addon !== null) (await this.#addon).clearDecorations();
  }

  #loaded(): Promise<SearchAddon> {
    this.#addon ??= this.#load().catch((error: unknown) => {
      this.#addon = null;
      throw error;
    });
    return this.#addon;
  }

  async #load(): Promise<SearchAddon> {
    const { SearchAddon } = await import("@xterm/addon-search");
    const addon = new SearchAddon({ highlightLimit: MOST_MARKED });
    this.#terminal.loadAddon(addon);
    addon.onDidChangeResults(({ resultIndex, resultCount }) => {
      if (this.#last !== null) this.#listener(foundOf(resultIndex, resultCount));
    });
    return addon;
  }
}

function foundOf(index: number, count: number): Found {
  if (count === 0) return { outcome: "nothing" };
  if (count >= MOST_MARKED) return { outcome: "many", atLeast: MOST_MARKED };
  return { outcome: "found", index, count };
}

function howOf({ caseSensitive, wholeWord }: Query): string {
  return [caseSensitive, wholeWord].join();
}

function optionsOf({ caseSensitive, wholeWord }: Query): ISearchOptions {
  return {
    caseSensitive,
    wholeWord,
    decorations: {
      matchBackground: token("find"),
      matchOverviewRuler: token("find"),
      activeMatchBackground: token("find-active"),
      activeMatchBorder: token("grid-ink"),
      activeMatchColorOverviewRuler: token("find-active"),
    },
  };
}
