import type { Found, Query, Search } from "../terminal/search";
import { announce, hush } from "./announce";
import { button, el, icon, setText } from "./dom";
import { foundWords } from "./find-words";

/** Results are told when typing rests: each letter makes new ones. */
const TELL_AFTER_MS = 500;

type Choice = "caseSensitive" | "wholeWord";

const CHOICES: readonly (readonly [choice: Choice, label: string, name: string])[] = [
  ["caseSensitive", "Aa", "Match case"],
  ["wholeWord", "Word", "Whole words"],
];

/** The search over the grid: what to look for, how, how many there are, and back to the shell. */
export class FindBar {
  readonly root: HTMLElement;
  readonly #search: () => Search | null;
  readonly #closed: () => void;
  readonly #input = el("input", {
    attributes: { type: "search", "aria-label": "Find in the terminal", spellcheck: "false" },
  });
  readonly #count = el("span", { class: "find-count" });
  readonly #chosen = new Set<Choice>();
  #telling: number | undefined;
  #isAsked = false;

  /** `search` is the grid's once there is one; `closed` puts the focus back. */
  constructor(search: () => Search | null, closed: () => void) {
    this.#search = search;
    this.#closed = closed;
    this.#input.autocomplete = "off";
    this.root = el(
      "search",
      { class: "find", hidden: true, attributes: { "aria-label": "Find" } },
      this.#input,
      this.#count,
      ...CHOICES.map(([choice, label, name]) => this.#toggle(choice, label, name)),
      tool("previous", "Previous match", () => this.#find("previous")),
      tool("next", "Next match", () => this.#find("next")),
      tool("close", "Close search", () => this.close()),
    );
    this.#input.addEventListener("input", () => this.#find("same"));
    this.root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Opens it, or comes back to it with the text ready to be replaced. */
  open(): void {
    this.root.hidden = false;
    this.#search()?.report((found) => this.#show(found));
    this.#input.focus();
    this.#input.select();
    if (this.#input.value !== "") this.#find("same");
  }

  /** Closes it; marks go and the grid has the focus. */
  close(): void {
    window.clearTimeout(this.#telling);
    hush("find");
    this.root.hidden = true;
    setText(this.#count, "");
    void this.#search()?.end();
    this.#closed();
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const isAgain = event.ctrlKey && event.shiftKey && event.code === "KeyF";
    if (event.key === "Escape") this.close();
    else if (isAgain) this.#input.select();
    else if (event.key === "Enter" && event.target === this.#input) {
      this.#find(event.shiftKey ? "previous" : "next");
    } else return;
    event.preventDefault();
  }

  #toggle(choice: Choice, label: string, name: string): HTMLButtonElement {
    const made = button("tool", label, () => {
      const chosen = !this.#chosen.delete(choice);
      if (chosen) this.#chosen.add(choice);
      made.setAttribute("aria-pressed", String(chosen));
      this.#find("same");
    });
    made.setAttribute("aria-label", name);
    made.setAttribute("aria-pressed", "false");
    made.title = name;
    return made;
  }

  #find(direction: "next" | "previous" | "same"): void {
    this.#isAsked = true;
    const failed = (): void => setText(this.#count, "Not available");
    void this.#search()?.find(this.#query(), direction).catch(failed);
  }

  #query(): Query {
    return {
      text: this.#input.value,
      caseSensitive: this.#chosen.has("caseSensitive"),
      wholeWord: this.#chosen.has("wholeWord"),
    };
  }

  /** New output changes the count too; only what the person asked for is said aloud. */
  #show(found: Found): void {
    const words = this.#input.value === "" ? "" : foundWords(found);
    setText(this.#count, words);
    if (!this.#isAsked || words === "") return;
    window.clearTimeout(this.#telling);
    this.#telling = window.setTimeout(() => {
      this.#isAsked = false;
      announce(this.#count.textContent, { topic: "find" });
    }, TELL_AFTER_MS);
  }
}

function tool(
  shape: "previous" | "next" | "close",
  name: string,
  action: () => void,
): HTMLButtonElement {
  const made = button("tool", "", action);
  made.append(icon(shape));
  made.setAttribute("aria-label", name);
  made.title = name;
  return made;
}
