import { leaveKeys } from "../terminal/keys";
import { button, el, setText } from "./dom";

interface Question {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  readonly no: string;
  readonly danger?: boolean;
  readonly sample?: string;
}

/** Asks a question; the safe answer has the focus. Escape is the safe answer too. */
export function ask(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const title = el("h2", { id: "question" }, question.title);
    const no = button("secondary", question.no, () => dialog.close("no"));
    const yes = button(question.danger ? "primary danger" : "primary", question.yes, () =>
      dialog.close("yes"),
    );
    const sample = question.sample === undefined ? null : el("pre", {}, question.sample);
    const actions = el("div", { class: "actions" }, no, yes);
    const dialog = el(
      "dialog",
      { attributes: { "aria-labelledby": "question" } },
      title,
      el("p", {}, question.text),
      sample,
      actions,
    );
    open(dialog, () => resolve(dialog.returnValue === "yes"));
    no.focus();
  });
}

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [leaveKeys(navigator.userAgent), "Leave the terminal, so that Tab reaches the buttons"],
  [["Ctrl", "Shift", "F"], "Find in the terminal; Esc goes back to the shell"],
  [["Ctrl", "Shift", "C"], "Copy what is selected"],
  [["Ctrl", "Shift", "V"], "Paste; several lines are shown to you first"],
  [["Ctrl", "C"], "Interrupt the running program, as in any terminal"],
];

/** How often the measured figures are read again while the help is open. */
const FIGURES_EVERY_MS = 1_000;

/** What is measured, asked for again while it is shown. */
export type Figures = () => readonly (readonly [what: string, value: string])[];

/** Shows the help. Resolves when it is closed. */
export function showHelp(figures: Figures): Promise<void> {
  return new Promise((resolve) => {
    const close = button("primary", "Close", () => dialog.close());
    const measured = el("dl", { class: "facts measured" });
    const dialog = el(
      "dialog",
      { attributes: { "aria-labelledby": "help" } },
      el("h2", { id: "help" }, "Help"),
      el("p", {}, HELP),
      keyList(),
      el("h3", {}, "Your connection"),
      measured,
      el("div", { class: "actions" }, close),
    );
    const show = (): void => showFigures(measured, figures());
    const timer = window.setInterval(show, FIGURES_EVERY_MS);
    show();
    open(dialog, () => {
      window.clearInterval(timer);
      resolve();
    });
    close.focus();
    // The focus is on its end; reading begins at its top.
    dialog.scrollTop = 0;
  });
}

const HELP =
  "Your shell runs on the exam server, not in this page. If the network drops or you reload, " +
  "it goes on and you come back to the same screen. The time shown is the server's.";

function keyList(): HTMLElement {
  const keys = el("dl", { class: "keys" });
  for (const [chord, meaning] of KEYS) {
    const term = el("dt");
    for (const key of chord) term.append(el("kbd", {}, key), " ");
    keys.append(term, el("dd", {}, meaning));
  }
  return keys;
}

function showFigures(list: HTMLElement, figures: ReturnType<Figures>): void {
  if (list.childElementCount === 0) {
    for (const [what] of figures) list.append(el("dt", {}, what), el("dd"));
  }
  const values = list.querySelectorAll("dd");
  figures.forEach(([, value], at) => {
    const shown = values[at];
    if (shown !== undefined) setText(shown, value);
  });
}

const opened = new Set<HTMLDialogElement>();

/** Shows a dialog until it is closed; it knows nothing of the state of the page. */
export function open(dialog: HTMLDialogElement, closed: () => void): void {
  dialog.addEventListener("close", () => {
    opened.delete(dialog);
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  opened.add(dialog);
  dialog.showModal();
}

/** Closes every dialog with its safe answer: the page shows another state now. */
export function closeDialogs(): void {
  for (const dialog of [...opened]) dialog.close();
}
