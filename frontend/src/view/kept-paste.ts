import { announce } from "./announce";
import { open } from "./dialogs";
import { button, el } from "./dom";

const WHY =
  "The shell that this was meant for is not there any more, so nothing was typed. The text is " +
  "kept here until you close this: copy it and paste it where you want it.";

/** Says that a confirmed paste has lost its shell, and keeps its text for copying. */
export function keepPaste(sanitised: string): void {
  const attributes = { readonly: "", rows: "6", "aria-label": "What was not pasted" };
  const text = el("textarea", { class: "kept", attributes });
  text.value = sanitised.replaceAll("\r", "\n");
  const copy = button("primary", "Copy", () => void copyFrom(text));
  const close = button("secondary", "Close", () => dialog.close());
  const dialog = el(
    "dialog",
    { attributes: { "aria-labelledby": "kept-paste", "aria-describedby": "kept-paste-why" } },
    el("h2", { id: "kept-paste" }, "Not pasted: the shell has changed"),
    el("p", { id: "kept-paste-why" }, WHY),
    text,
    el("div", { class: "actions" }, close, copy),
  );
  open(dialog, () => undefined);
  copy.focus();
}

/** Copies; where the browser refuses, the text is selected for its own menu. */
async function copyFrom(text: HTMLTextAreaElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text.value);
    announce("Copied", { topic: "copied" });
  } catch {
    text.focus();
    text.select();
  }
}
