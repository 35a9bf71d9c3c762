import type { ExamApi } from "../api/client";
import type { ViewListener } from "../terminal/options";
import { TerminalSession } from "../terminal/session";
import type { TerminalView } from "../terminal/view";
import { announce, hush } from "./announce";
import { Bar } from "./bar";
import { Card } from "./card";
import { ConnectionCards } from "./connection-cards";
import { connectionFacts } from "./connection-facts";
import { Curtain } from "./curtain";
import { closeDialogs, showHelp } from "./dialogs";
import { el } from "./dom";
import { endExam } from "./end-exam";
import type { Facts, View } from "./facts";
import { FindBar } from "./find-bar";
import { Foot } from "./foot";
import { gridChoices, watchGridChoices } from "./grid-choices";
import { keepPaste } from "./kept-paste";
import { linkOf } from "./link";
import { notArrivedWords } from "./not-arrived";
import { Notes } from "./notes";
import { showNotice } from "./notice";
import { confirmPaste } from "./paste-question";
import type { PreferenceStore } from "./prefs";
import { showBell } from "./bell-mark";
import { TouchKeys } from "./touch-keys";
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

/** running: the terminal with its bar and foot, and cards over it when it is not usable. */
export class RunningView implements View {
  readonly #needs: RunningNeeds;
  readonly #bar = new Bar();
  readonly #notes = new Notes();
  readonly #notices = new Notes("Notices of the terminal");
  readonly #warnings = new TimeWarnings(this.#notes);
  readonly #host = el("div", { class: "grid-host" });
  readonly #grid = el("main", { class: "grid", attributes: { "aria-label": "Terminal" } });
  readonly #keys = new TouchKeys(() => this.#view);
  readonly #curtain = new Curtain(this.#grid, (locked) => this.#view?.lock(locked));
  readonly #cards = new ConnectionCards(this.#curtain, {
    focusGrid: () => this.#enterIfFree(),
    connect: () => this.#session?.connect(),
  });
  readonly #find = new FindBar(
    () => this.#view?.search ?? null,
    () => this.#enterGrid(),
  );
  readonly #foot: Foot;
  readonly root: HTMLElement;
  #view: TerminalView | null = null;
  #session: TerminalSession | null = null;
  #disposed = false;
  readonly #unwatch: () => void;

  constructor(needs: RunningNeeds) {
    this.#needs = needs;
    this.#foot = new Foot(needs.prefs, {
      enterGrid: () => this.#enterGrid(),
      find: () => this.#find.open(),
      help: () => void this.#help(),
      end: () => void this.#end(),
    });
    const title = el("h1", { class: "unseen" }, "Exam terminal");
    this.#grid.append(title, this.#host, this.#curtain.root, this.#find.root);
    const notes = [this.#notes.root, this.#notices.root];
    const parts = [this.#bar.root, ...notes, this.#grid, this.#keys.root, this.#foot.root];
    this.root = el("div", { class: "contents" }, ...parts);
    this.#unwatch = watchGridChoices(needs.prefs, () =>
      this.#view?.adopt(gridChoices(needs.prefs)),
    );
  }

  shown(): void {
    this.#curtain.draw(new Card({ title: "Opening your terminal", text: "This takes a moment." }));
    window.addEventListener("pagehide", this.#leave);
    void this.#open();
  }

  update(facts: Facts): void {
    this.#bar.update(facts);
    this.#warnings.update(facts);
    this.#foot.canEnd(facts.document.can_end);
    this.#cards.reference = facts.document.reference;
    this.#notes.hold(unreachableWords(facts.reachability, facts.document.ends_at !== null));
    if (this.#session === null) return;
    this.#showLink();
    this.#cards.tick(this.#session);
  }

  /** The network is back or the page is visible again. */
  hurry(): void {
    this.#session?.hurry();
  }

  dispose(): void {
    this.#disposed = true;
    closeDialogs();
    this.#cards.dispose();
    window.removeEventListener("pagehide", this.#leave);
    this.#unwatch();
    this.#session?.stop("ended");
    this.#view?.dispose();
  }

  async #open(): Promise<void> {
    try {
      const { TerminalView } = await import("../terminal/view");
      const choices = gridChoices(this.#needs.prefs);
      const view = await TerminalView.open(this.#host, choices, this.#gridListener());
      if (this.#disposed) return view.dispose();
      this.#view = view;
      this.#session = this.#makeSession(view);
      this.#session.connect();
    } catch {
      this.#curtain.draw(notLoadedCard(() => void this.#open()));
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
      connection: (connection) => {
        if (this.#disposed) return;
        // A pause is its connection's: the next one says whether it holds.
        if (connection.phase !== "attached") this.#notices.hold(null);
        this.#showLink();
        this.#cards.changed(connection);
      },
      notice: (notice) => showNotice(notice, this.#notices),
      exit: (exit) => this.#cards.exited(exit),
      lost: (characters) => this.#lost(characters),
      askStatus,
    });
  }

  #gridListener(): ViewListener {
    return {
      typed: (bytes) => this.#typed(bytes),
      resized: (cols, rows) => this.#session?.resized(cols, rows),
      left: () => this.#leaveGrid(),
      find: () => this.#find.open(),
      focused: (focused) => this.#gridFocused(focused),
      copied: () => announce("Copied", { topic: "copied" }),
      rang: () => showBell(this.#grid),
      controlReleased: () => this.#keys.released(),
      link: (address) =>
        this.#notes.pass(`This link goes to ${address}. It is not opened here.`, "calm"),
      confirmPaste,
      shell: () => this.#session?.shell ?? null,
      settledShell: async () => (await this.#session?.settledShell()) ?? null,
      keepPaste: (text) => {
        if (!this.#disposed) keepPaste(text);
      },
    };
  }

  /** Beside the grid where the connection goes on, and on the card where it rests. */
  #lost(characters: number): void {
    if (this.#session?.connection.phase === "stopped") return this.#cards.lost(characters);
    this.#notes.pass(notArrivedWords(characters), "warn");
  }

  #typed(bytes: Uint8Array): void {
    if (this.#session?.type(bytes) !== false) return;
    this.#notes.pass("Too much is waiting to be sent; this was not taken.", "warn");
  }

  /** Back in the grid, that it was left is over: left again within a moment, it is said again. */
  #gridFocused(focused: boolean): void {
    this.#foot.gridFocused(focused);
    if (focused) hush("focus");
  }

  #leaveGrid(): void {
    this.#view?.blur();
    this.#foot.gridFocused(false);
    this.#foot.focus();
    announce("You left the terminal. Tab moves between the buttons.", { topic: "focus" });
  }

  /** Into the grid, or to what can be done while a card is over it. */
  #enterGrid(): void {
    if (this.#disposed) return;
    const { card } = this.#curtain;
    if (card === null) this.#view?.focus();
    else card.focus();
  }

  /** A connection that comes back takes the focus from no button, search or question. */
  #enterIfFree(): void {
    const at = document.activeElement;
    const isFree = at === null || at === document.body || this.#curtain.root.contains(at);
    if (isFree) this.#view?.focus();
  }

  async #help(): Promise<void> {
    const [session, view] = [this.#session, this.#view];
    const isMeasured = session !== null && view !== null;
    await showHelp(() => (isMeasured ? connectionFacts(session.liveness, view.latency) : []));
  }

  async #end(): Promise<void> {
    if (await endExam(this.#needs.api, this.#notes)) this.#needs.askStatus();
    else this.#enterGrid();
  }

  readonly #leave = (): void => this.#session?.leave();
}

function notLoadedCard(again: () => void): Card {
  return new Card({
    title: "The terminal could not be loaded",
    text: "The network may have dropped while it was fetched. Your shell is not affected.",
    action: { label: "Try again", run: again },
  });
}
