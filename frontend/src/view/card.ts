import { button, el } from "./dom";

interface CardContent {
  readonly title: string;
  readonly text: string;
  /** The one thing to do, if there is one. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** A card over the dimmed grid. Its last line changes while the card stays. */
export class Card {
  readonly root: HTMLElement;
  readonly next = el("p", { class: "next", hidden: true });
  readonly title: string;
  readonly text: string;
  readonly #action: HTMLButtonElement | null;

  constructor(content: CardContent) {
    const { action } = content;
    this.title = content.title;
    this.text = content.text;
    this.#action = action === undefined ? null : button("primary", action.label, action.run);
    const actions = this.#action === null ? null : el("div", { class: "actions" }, this.#action);
    this.root = el(
      "section",
      { class: "card", tabIndex: -1, attributes: { "aria-label": content.title } },
      el("h2", {}, content.title),
      el("p", {}, content.text),
      this.next,
      actions,
    );
  }

  /** Puts the focus on the one action, or on the card where there is nothing to do. */
  focus(): void {
    (this.#action ?? this.root).focus();
  }
}
