import { announce } from "./announce";

/** How long the frame around the grid shows that a program rang. */
const SHOWN_MS = 400;

/** Shows and says that a program rang; silently, as an exam room wants it. */
export function showBell(grid: HTMLElement): void {
  grid.dataset["rang"] = "true";
  window.setTimeout(() => delete grid.dataset["rang"], SHOWN_MS);
  announce("Bell", { urgency: "aside", topic: "bell" });
}
