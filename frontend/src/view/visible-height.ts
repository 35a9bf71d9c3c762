/**
 * Keeps the terminal above a touch keyboard where the browser lays the keyboard over the page
 * instead of shrinking it. Untouched while nothing covers the page.
 */
export function followVisibleHeight(): void {
  const viewport = window.visualViewport;
  if (viewport === null) return;
  viewport.addEventListener("resize", () => {
    const root = document.documentElement.style;
    const covered = window.innerHeight - viewport.height > 1 && viewport.scale === 1;
    if (covered) root.setProperty("--visible-height", `${viewport.height}px`);
    else root.removeProperty("--visible-height");
  });
}
