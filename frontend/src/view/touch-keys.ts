import type { TerminalView } from "../terminal/view";
import { button, el } from "./dom";

type TouchKey = Parameters<TerminalView["press"]>[0];

const KEYS: readonly (readonly [label: string, name: string, key: TouchKey])[] = [
  ["Esc", "Escape", "escape"],
  ["Tab", "Tab", "tab"],
  ["↑", "Up", "up"],
  ["↓", "Down", "down"],
  ["←", "Left", "left"],
  ["→", "Right", "right"],
];

/** The keys a touch keyboard lacks; shown by the style sheet where the pointer is coarse. */
export class TouchKeys {
  readonly root = el("section", { class: "touch-keys", attributes: { "aria-label": "Keys" } });
  readonly #view: () => TerminalView | null;
  readonly #control = button("tool", "Ctrl", () => this.#hold(!this.#held));
  #held = false;

  constructor(view: () => TerminalView | null) {
    this.#view = view;
    for (const [label, name, key] of KEYS) {
      const made = button("tool", label, () => view()?.press(key));
      made.setAttribute("aria-label", name);
      this.root.append(made);
      if (key === "tab") this.root.append(this.#control);
    }
    this.released();
    // The grid keeps the focus, and with it the keyboard stays up.
    this.root.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** Ctrl went with the key that was typed. */
  released(): void {
    this.#held = false;
    this.#control.setAttribute("aria-pressed", "false");
  }

  #hold(held: boolean): void {
    this.#held = held;
    this.#control.setAttribute("aria-pressed", String(held));
    this.#view()?.holdControl(held);
  }
}
