import type { TerminalView } from "../terminal/view";
import { button, el } from "./dom";

type PlainKey = Parameters<TerminalView["press"]>[0];

const KEYS: readonly (readonly [label: string, name: string, key: PlainKey])[] = [
  ["Esc", "Escape", "escape"],
  ["Tab", "Tab", "tab"],
  ["↑", "Up", "up"],
  ["↓", "Down", "down"],
  ["←", "Left", "left"],
  ["→", "Right", "right"],
];

/** The keys a touch keyboard lacks; shown by the style sheet where the pointer is coarse. */
export function touchKeys(view: () => TerminalView | null): HTMLElement {
  const row = el("section", { class: "touch-keys", attributes: { "aria-label": "Keys" } });
  const control = button("tool", "Ctrl", () => view()?.holdControl(true));
  for (const [label, name, key] of KEYS) {
    const made = button("tool", label, () => view()?.press(key));
    made.setAttribute("aria-label", name);
    row.append(made);
    if (key === "tab") row.append(control);
  }
  // The grid keeps the focus, and with it the keyboard stays up.
  row.addEventListener("pointerdown", (event) => event.preventDefault());
  return row;
}
