import type { ExamApi } from "../api/client";
import type { Connection } from "../terminal/connection";
import type { Exit } from "../terminal/frames";
import { TerminalSession } from "../terminal/session";
import type { TerminalView } from "../terminal/view";
import { announce } from "./announce";
import { Bar } from "./bar";
import { Card } from "./card";
import { ask, showHelp } from "./dialogs";
import { el, setData, setText } from "./dom";
import type { Facts, View } from "./facts";
import { Foot } from "./foot";
import { linkOf } from "./link";
import { lostCard, nextTryWords } from "./lost";
import { Notes } from "./notes";
import { showNotice } from "./notice";
import type { PreferenceStore } from "./prefs";
import { stoppedCard } from "./stopped";
import { touchKeys } from "./touch-keys";
import { unreachableWords } from "./unreachable";
import { TimeWarnings } from "./warnings";

/** What the running view needs of the page around it. */
export interface RunningNeeds {
  readonly api: ExamApi;
  /** Where the terminal process answers. */
  readonly terminal: URL;
  readonly prefs: PreferenceStore;
  /** Reads the status again, because something just changed it. */
  readonly askStatus: () => void;
}

/** A break shorter than this is not shown: the card would only flicker. */
const LOST_AFTER_MS = 400;

/** running: the terminal with its bar and foot, and cards over it when it is not usable. */
export class RunningView implements View {
  readonly #needs: RunningNeeds;
  readonly #bar = new Bar();
  readonly #notes = new Notes();
  readonly #notices = new Notes("Notices of the terminal");
  readonly #warnings = new TimeWarnings(this.#notes);
  readonly #host = el("div", { class: "grid-host" });
  readonly #cards = el("div", { class: "cards", hidden: true });
  readonly #grid = el("main", { class: "grid", attributes: { "aria-label": "Terminal" } });
  readonly #foot: Foot;
  readonly root: HTMLElement;
  #view: TerminalView | null = null;
  #session: TerminalSession | null = null;
  #card: Card | null = null;
  #exit: Exit | null = null;
  #retryAt = 0;
  #lostTimer: number | undefined;
  #disposed = false;
  readonly #unsubscribe: () => void;

  constructor(needs: RunningNeeds) {
    this.#needs = needs;
    this.#foot = new Foot(needs.prefs, {
      enterGrid: () => this.#view?.focus(),
      help: () => void showHelp(),
      end: () => void this.#end(),
    });
    this.#grid.append(el("h1", { class: "unseen" }, "Exam terminal"), this.#host, this.#cards);
    const keys = touchKeys(() => this.#view);
    this.root = el(
      "div",
      { class: "contents" },
      this.#bar.root,
      this.#notes.root,
      this.#notices.root,
      this.#grid,
      keys,
      this.#foot.root,
    );
    this.#unsubscribe = needs.prefs.subscribe(() => this.#preferencesChanged());
  }

  shown(): void {
    this.#put(new Card({ title: "Opening your terminal", text: "This takes a moment." }));
    window.addEventListener("pagehide", this.#leave);
    void this.#open();
  }

  update(facts: Facts): void {
    const now = performance.now();
    this.#bar.update(facts);
    this.#warnings.update(facts);
    this.#foot.canEnd(facts.document.can_end);
    this.#notes.hold(unreachableWords(facts.reachability, facts.document.ends_at !== null));
    const session = this.#session;
    if (session === null) return;
    this.#showLink();
    if (this.#card !== null && isTrying(session.connection) && !this.#card.next.hidden) {
      setText(this.#card.next, nextTryWords(session.connection, this.#retryAt - now));
    }
  }

  /** The network is back or the page is visible again. */
  hurry(): void {
    this.#session?.hurry();
  }

  dispose(): void {
    this.#disposed = true;
    window.clearTimeout(this.#lostTimer);
    window.removeEventListener("pagehide", this.#leave);
    this.#unsubscribe();
    this.#session?.stop("ended");
    this.#view?.dispose();
  }

  async #open(): Promise<void> {
    try {
      const { TerminalView } = await import("../terminal/view");
      const view = await TerminalView.open(this.#host, this.#viewOptions(), this.#viewListener());
      if (this.#disposed) return view.dispose();
      this.#view = view;
      this.#session = this.#makeSession(view);
      this.#session.connect();
    } catch {
      const retry = { label: "Try again", run: () => void this.#open() };
      this.#put(
        new Card({
          title: "The terminal could not be loaded",
          text: "The network may have dropped while it was fetched. Your shell is not affected.",
          action: retry,
        }),
      );
    }
  }

  #showLink(): void {
    const session = this.#session;
    if (session === null) return;
    this.#bar.link(linkOf(session.connection, session.liveness, performance.now()));
  }

  #makeSession(view: TerminalView): TerminalSession {
    const { api, terminal, askStatus } = this.#needs;
    return new TerminalSession(api, terminal, view, {
      connection: (connection) => this.#connectionChanged(connection),
      notice: (notice) => showNotice(notice, this.#notices),
      exit: (exit) => {
        this.#exit = exit;
      },
      askStatus,
    });
  }

  #viewOptions(): Parameters<typeof TerminalView.open>[1] {
    const { fontSize, screenReader } = this.#needs.prefs.current;
    const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    return { fontSize, screenReader, reducedMotion };
  }

  #viewListener(): Parameters<typeof TerminalView.open>[2] {
    return {
      typed: (bytes) => this.#typed(bytes),
      resized: (cols, rows) => this.#session?.resized(cols, rows),
      left: () => this.#leaveGrid(),
      focused: (focused) => this.#foot.gridFocused(focused),
      copied: () => announce("Copied"),
      link: (address) =>
        this.#notes.pass(`This link goes to ${address}. It is not opened here.`, "calm"),
      confirmPaste: (concern, text) => confirmPaste(concern, text),
    };
  }

  #typed(bytes: Uint8Array): void {
    if (this.#session?.type(bytes) !== false) return;
    this.#notes.pass("Too much is waiting to be sent; this was not taken.", "warn");
  }

  #leaveGrid(): void {
    this.#view?.blur();
    this.#foot.gridFocused(false);
    this.#foot.focus();
    announce("You left the terminal. Tab moves between the buttons.");
  }

  #connectionChanged(connection: Connection): void {
    if (this.#disposed) return;
    if (connection.phase === "waiting") this.#retryAt = performance.now() + connection.delayMs;
    window.clearTimeout(this.#lostTimer);
    this.#showLink();
    if (connection.phase === "attached") return this.#attached();
    if (connection.phase === "stopped") return this.#stopped(connection);
    // A card of rest goes away with the person's own press, at once.
    const delay = this.#card === null ? LOST_AFTER_MS : 0;
    if (isTrying(connection)) {
      this.#lostTimer = window.setTimeout(() => this.#lost(), delay);
    }
  }

  #attached(): void {
    const wasAway = this.#card !== null;
    this.#put(null);
    this.#exit = null;
    this.#view?.focus();
    if (wasAway) announce("Connected. You can type.");
  }

  #lost(): void {
    if (this.#card?.title === "Reconnecting") return;
    const opening = this.#session?.connection.tries.attempt === 0 && this.#card !== null;
    if (opening) return;
    const card = lostCard();
    card.next.hidden = false;
    this.#put(card);
  }

  #stopped(connection: Extract<Connection, { phase: "stopped" }>): void {
    this.#put(stoppedCard(connection.why, this.#exit, () => this.#session?.connect()));
    this.#card?.focus();
  }

  #put(card: Card | null): void {
    this.#card = card;
    this.#view?.lock(card !== null);
    setData(this.#grid, "veiled", String(card !== null));
    this.#cards.hidden = card === null;
    this.#cards.replaceChildren(...(card === null ? [] : [card.root]));
    if (card !== null) announce(`${card.title}. ${card.text}`, "now");
  }

  #preferencesChanged(): void {
    const { fontSize, screenReader } = this.#needs.prefs.current;
    this.#view?.refreshTheme();
    this.#view?.setFontSize(fontSize);
    this.#view?.setScreenReader(screenReader);
  }

  async #end(): Promise<void> {
    const sure = await ask({
      title: "End your exam now?",
      text: "The terminal closes for good. You cannot come back to it, even if time is left.",
      yes: "End exam",
      no: "Keep working",
      danger: true,
    });
    if (!sure) return this.#view?.focus();
    try {
      await this.#needs.api.end();
      this.#notes.hold("Ending your exam.", "calm");
      this.#needs.askStatus();
    } catch {
      this.#notes.pass(
        "The exam server did not take that. Your exam goes on; please try again.",
        "warn",
      );
    }
  }

  readonly #leave = (): void => this.#session?.leave();
}

function isTrying(connection: Connection): boolean {
  return connection.phase !== "attached" && connection.phase !== "stopped";
}

function confirmPaste(concern: "lines" | "large", text: string): Promise<boolean> {
  const lines = text.replace(/\r$/, "").split("\r").length;
  const what =
    concern === "lines"
      ? `It has ${lines} ${lines === 1 ? "line" : "lines"}, run by the shell as soon as it is pasted.`
      : `It has ${text.length.toLocaleString("en")} characters.`;
  const sample = text.slice(0, 600).replaceAll("\r", "\n");
  return ask({ title: "Paste this?", text: what, yes: "Paste", no: "Do not paste", sample });
}
