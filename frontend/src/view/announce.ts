/** A line this old is no news: whoever reads the page later must not find it still said. */
const NEWS_FOR_MS = 10_000;

let fading: number | undefined;

/**
 * Says something to screen readers, outside the grid. `now` interrupts what is being read. What
 * was said before goes: of two lines, the older would be read as if it still held.
 */
export function announce(text: string, urgency: "polite" | "now" = "polite"): void {
  hush();
  // A new node even for the same words: said again is news again.
  region(urgency)?.append(text);
  fading = window.setTimeout(hush, NEWS_FOR_MS);
}

/** Takes back what was said: the page shows another state now. */
export function hush(): void {
  window.clearTimeout(fading);
  for (const urgency of ["polite", "now"] as const) region(urgency)?.replaceChildren();
}

function region(urgency: "polite" | "now"): HTMLElement | null {
  return document.getElementById(`announce-${urgency}`);
}
