import type { Terminal } from "@xterm/xterm";
import { keyAction } from "./keys";

/** What the page does when its own keys are pressed in the grid. */
export interface ShortcutListener {
  /** The documented way out of the grid was pressed. */
  left(): void;
  /** The key that opens the search was pressed. */
  find(): void;
  copied(): void;
}

/** Takes the page's few keys away from the shell, which gets every other. */
export function takeShortcuts(terminal: Terminal, listener: ShortcutListener): void {
  const act = {
    copy: () => void copy(terminal, listener),
    // Left to the browser, which then fires the paste event without asking anyone.
    paste: () => undefined,
    find: () => listener.find(),
    leave: () => listener.left(),
  };
  terminal.attachCustomKeyEventHandler((event) => {
    const action = keyAction(event);
    if (action === null) return true;
    if (action !== "paste") event.preventDefault();
    if (event.type === "keydown") act[action]();
    return false;
  });
}

async function copy(terminal: Terminal, listener: ShortcutListener): Promise<void> {
  const text = terminal.getSelection();
  if (text === "") return;
  try {
    await navigator.clipboard.writeText(text);
    listener.copied();
  } catch {
    // Refused by the browser; its own menu still copies the selection.
  }
}
