/** The candidate's own choices, kept in this browser only. */
export interface Preferences {
  readonly theme: ThemeChoice;
  readonly fontSize: number;
  readonly screenReader: boolean;
}

export const THEME_CHOICES = ["system", "light", "dark", "contrast"] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];

const KEY = "carrel.preferences";
const DEFAULTS: Preferences = { theme: "system", fontSize: 14, screenReader: false };
export const FONT_SIZES = [10, 12, 13, 14, 15, 16, 18, 20, 24, 28] as const;

/** Reads saved choices; anything unreadable counts as unset. */
export function parsePreferences(saved: string | null): Preferences {
  let raw: Partial<Record<keyof Preferences, unknown>> = {};
  try {
    raw = JSON.parse(saved ?? "{}") ?? {};
  } catch {
    // An older or damaged value: the defaults serve.
  }
  return {
    theme: THEME_CHOICES.find((choice) => choice === raw.theme) ?? DEFAULTS.theme,
    fontSize: FONT_SIZES.find((size) => size === raw.fontSize) ?? DEFAULTS.fontSize,
    screenReader: raw.screenReader === true,
  };
}

/** The next font size in a direction; the outermost stays. */
export function nextFontSize(size: number, direction: 1 | -1): number {
  const at = FONT_SIZES.indexOf(size as (typeof FONT_SIZES)[number]);
  return FONT_SIZES[at + direction] ?? size;
}

/** Holds the choices, applies the theme, and tells whoever asked when one changes. */
export class PreferenceStore {
  #preferences: Preferences;
  readonly #dark = window.matchMedia("(prefers-color-scheme: dark)");
  readonly #contrast = window.matchMedia("(prefers-contrast: more), (forced-colors: active)");
  readonly #listeners = new Set<() => void>();

  constructor() {
    this.#preferences = parsePreferences(load());
    this.#applyTheme();
    for (const query of [this.#dark, this.#contrast]) {
      query.addEventListener("change", () => this.#changed());
    }
  }

  get current(): Preferences {
    return this.#preferences;
  }

  set(change: Partial<Preferences>): void {
    this.#preferences = { ...this.#preferences, ...change };
    save(JSON.stringify(this.#preferences));
    this.#changed();
  }

  /** Calls `listener` after each change; returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#applyTheme();
    for (const listener of this.#listeners) listener();
  }

  #applyTheme(): void {
    const system = this.#contrast.matches ? "contrast" : this.#dark.matches ? "dark" : "light";
    const choice = this.#preferences.theme;
    document.documentElement.dataset["theme"] = choice === "system" ? system : choice;
  }
}

function load(): string | null {
  try {
    return window.localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function save(value: string): void {
  try {
    window.localStorage.setItem(KEY, value);
  } catch {
    // Storage may be forbidden; the choice then lasts until the page is left.
  }
}
