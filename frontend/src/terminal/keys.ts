/** The part of a keyboard event that decides. */
export interface KeyChord {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/** What the page does with a key instead of the shell. */
export type KeyAction = "copy" | "paste" | "leave";

/** The grid owns every key except these; null means that the shell gets it. */
export function keyAction(chord: KeyChord): KeyAction | null {
  const { ctrlKey, shiftKey, altKey, metaKey } = chord;
  // The Mac's own copy and paste: the shell has no use for the command key.
  if (metaKey && !ctrlKey && !altKey) {
    if (chord.code === "KeyC") return "copy";
    return chord.code === "KeyV" ? "paste" : null;
  }
  if (!ctrlKey || !shiftKey || altKey || metaKey) return null;
  if (chord.code === "KeyC") return "copy";
  if (chord.code === "KeyV") return "paste";
  return chord.key === "Escape" ? "leave" : null;
}
