import { setText } from "./dom";

/** Says something to screen readers, outside the grid. `now` interrupts what is being read. */
export function announce(text: string, urgency: "polite" | "now" = "polite"): void {
  const region = document.getElementById(urgency === "now" ? "announce-now" : "announce-polite");
  if (region !== null) setText(region, text);
}
