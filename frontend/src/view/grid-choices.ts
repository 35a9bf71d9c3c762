import type { ViewOptions } from "../terminal/options";
import type { PreferenceStore } from "./prefs";

const LESS_MOTION = "(prefers-reduced-motion: reduce)";

/** The candidate's choices, and the system's, as the grid takes them. */
export function gridChoices({ current }: PreferenceStore): ViewOptions {
  const { fontSize, screenReader } = current;
  return { fontSize, screenReader, reducedMotion: window.matchMedia(LESS_MOTION).matches };
}

/** Calls `changed` when one of them changes; returns what ends that. */
export function watchGridChoices(prefs: PreferenceStore, changed: () => void): () => void {
  const motion = window.matchMedia(LESS_MOTION);
  motion.addEventListener("change", changed);
  const unsubscribe = prefs.subscribe(changed);
  return () => {
    motion.removeEventListener("change", changed);
    unsubscribe();
  };
}
