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
export type KeyAction = "copy" | "paste" | "find" | "leave";

const WITH_CTRL_SHIFT: ReadonlyMap<string, KeyAction> = new Map([
  ["KeyC", "copy"],
  ["KeyV", "paste"],
  ["KeyF", "find"],
  ["KeyL", "leave"],
]);
const WITH_COMMAND: ReadonlyMap<string, KeyAction> = new Map([
  ["KeyC", "copy"],
  ["KeyV", "paste"],
  ["KeyF", "find"],
]);

/** The grid owns every key except these; null means that the shell gets it. */
export function keyAction(chord: KeyChord): KeyAction | null {
  const { ctrlKey, shiftKey, altKey, metaKey } = chord;
  // The Mac's own keys: the shell has no use for the command key.
  if (metaKey && !ctrlKey && !altKey) return WITH_COMMAND.get(chord.code) ?? null;
  if (!ctrlKey || !shiftKey || altKey || metaKey) return null;
  if (chord.key === "Escape") return "leave";
  return WITH_CTRL_SHIFT.get(chord.code) ?? null;
}

/**
 * The keys that leave the grid, as they are told. Windows and ChromeOS keep Ctrl+Shift+Esc for
 * themselves (a task manager opens), so there the other way out is named; both work everywhere.
 */
export function leaveKeys(userAgent: string): readonly string[] {
  return ["Ctrl", "Shift", /windows|cros/i.test(userAgent) ? "L" : "Esc"];
}
