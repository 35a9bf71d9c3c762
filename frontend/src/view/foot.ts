import { leaveKeys } from "../terminal/keys";
import { announce } from "./announce";
import { button, el, icon, setText } from "./dom";
import { nextFontSize, type PreferenceStore, THEME_CHOICES, type ThemeChoice } from "./prefs";

const THEMES: Readonly<Record<ThemeChoice, string>> = {
  system: "as the system",
  light: "light",
  dark: "dark",
  contrast: "high contrast",
};

/** What the foot's buttons do beyond the preferences. */
export interface FootActions {
  enterGrid(): void;
  find(): void;
  help(): void;
  end(): void;
}

/** The foot: how to leave the grid, how it looks, help, and ending the exam. */
export class Foot {
  readonly #prefs: PreferenceStore;
  readonly #leaveHint = el("span");
  readonly #back: HTMLButtonElement;
  readonly #theme: HTMLButtonElement;
  readonly #reader: HTMLButtonElement;
  readonly #end: HTMLButtonElement;
  readonly #themeWords = el("span", { class: "tool-label" });
  readonly root: HTMLElement;

  constructor(prefs: PreferenceStore, actions: FootActions) {
    this.#prefs = prefs;
    this.#back = button("tool", "Back to the terminal", actions.enterGrid);
    this.#leaveHint.append("Leave the terminal");
    for (const name of leaveKeys(navigator.userAgent)) this.#leaveHint.append(" ", key(name));
    this.#theme = tool(icon("theme"), this.#themeWords, () => this.#cycleTheme());
    this.#reader = tool(icon("reader"), label("Screen reader"), () => this.#toggleReader());
    this.#reader.setAttribute("aria-label", "Screen reader support");
    this.#end = tool(icon("end"), label("End exam"), actions.end);
    this.#end.classList.add("ending");
    this.#end.setAttribute("aria-label", "End exam");
    const find = tool(icon("find"), label("Find"), actions.find);
    find.setAttribute("aria-label", "Find in the terminal");
    const help = tool(icon("help"), label("Help"), actions.help);
    help.setAttribute("aria-label", "Help");
    this.root = el(
      "footer",
      { class: "foot" },
      el("span", { class: "foot-hint" }, this.#leaveHint, this.#back),
      find,
      this.#size("A−", "Smaller text", -1),
      this.#size("A+", "Larger text", 1),
      this.#theme,
      this.#reader,
      help,
      this.#end,
    );
    this.gridFocused(false);
    this.#show();
  }

  /** Shows the way out of the grid, or back into it. */
  gridFocused(focused: boolean): void {
    this.#leaveHint.hidden = !focused;
    this.#back.hidden = focused;
  }

  /** Shows or hides the ending button, as the server allows. */
  canEnd(can: boolean): void {
    this.#end.hidden = !can;
  }

  /** Puts the focus outside the grid. */
  focus(): void {
    const hidden = this.#back.hidden || this.#back.offsetParent === null;
    (hidden ? this.#theme : this.#back).focus();
  }

  #size(text: string, name: string, direction: 1 | -1): HTMLButtonElement {
    const made = button("tool", text, () => {
      const fontSize = nextFontSize(this.#prefs.current.fontSize, direction);
      this.#prefs.set({ fontSize });
      announce(`Text size ${fontSize}`, { topic: "choice" });
    });
    made.setAttribute("aria-label", name);
    return made;
  }

  #cycleTheme(): void {
    const at = THEME_CHOICES.indexOf(this.#prefs.current.theme);
    const theme = THEME_CHOICES[(at + 1) % THEME_CHOICES.length] ?? "system";
    this.#prefs.set({ theme });
    this.#show();
    announce(`Theme ${THEMES[theme]}`, { topic: "choice" });
  }

  #toggleReader(): void {
    const screenReader = !this.#prefs.current.screenReader;
    this.#prefs.set({ screenReader });
    this.#show();
    announce(`Screen reader support ${screenReader ? "on" : "off"}`, { topic: "choice" });
  }

  #show(): void {
    const { theme, screenReader } = this.#prefs.current;
    setText(this.#themeWords, theme === "system" ? "Theme" : `Theme: ${THEMES[theme]}`);
    this.#theme.setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
    this.#reader.setAttribute("aria-pressed", String(screenReader));
  }
}

function key(name: string): HTMLElement {
  return el("kbd", {}, name);
}

function label(text: string): HTMLElement {
  return el("span", { class: "tool-label" }, text);
}

function tool(drawing: SVGSVGElement, words: HTMLElement, action: () => void): HTMLButtonElement {
  const made = button("tool", "", action);
  made.append(drawing, words);
  return made;
}
