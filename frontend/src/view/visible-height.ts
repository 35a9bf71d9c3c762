/**
 * Keeps the terminal above a touch keyboard where the browser lays the keyboard over the page
 * instead of shrinking it, and moves the page up beneath it. Untouched while nothing covers it.
 */
export function followVisibleHeight(): void {
  const viewport = window.visualViewport;
  if (viewport === null) return;
  const follow = (): void => {
    const root = document.documentElement.style;
    const covered = window.innerHeight - viewport.height > 1 && viewport.scale === 1;
    if (covered) {
      root.setProperty("--visible-height", `${viewport.height}px`);
      root.setProperty("--visible-top", `${viewport.offsetTop}px`);
    } else {
      root.removeProperty("--visible-height");
      root.removeProperty("--visible-top");
    }
  };
  viewport.addEventListener("resize", follow);
  viewport.addEventListener("scroll", follow);
}
