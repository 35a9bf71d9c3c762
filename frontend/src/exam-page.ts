import { ExamApi } from "./api/client";
import { Problem, Unreachable } from "./api/problem";
import type { StatusDocument } from "./api/types";
import { backoffMs } from "./clock/backoff";
import { ServerClock, SleepWatch } from "./clock/server-clock";
import { type Reachability, StatusFeed } from "./status/feed";
import { hush } from "./view/announce";
import { deniedPage } from "./view/denied";
import type { View } from "./view/facts";
import { FailedView } from "./view/failed";
import type { PreferenceStore } from "./view/prefs";
import { PreparingView } from "./view/preparing";
import { ReadyView } from "./view/ready";
import { RunningView } from "./view/running";
import { TerminatedView } from "./view/terminated";
import { unreachablePage } from "./view/unreachable";

/** Often enough for tenths of a second in the stages; only what changed is drawn. */
const TICK_MS = 200;

type ViewName = "preparing" | "ready" | "terminal" | "terminated" | "failed";

/**
 * The page of one session. It computes no state: each document names the view, and the only
 * thing added to it is that the candidate has pressed Start.
 */
export class ExamPage {
  readonly #api: ExamApi;
  readonly #place: HTMLElement;
  readonly #prefs: PreferenceStore;
  readonly #clock = new ServerClock();
  readonly #sleep = new SleepWatch();
  readonly #feed: StatusFeed;
  #terminal = new URL(window.location.origin);
  #document: StatusDocument | null = null;
  #reachability: Reachability = "reachable";
  #view: View | null = null;
  #shown: ViewName | null = null;
  #started = false;

  constructor(sessionId: string, place: HTMLElement, prefs: PreferenceStore) {
    this.#api = new ExamApi(sessionId);
    this.#place = place;
    this.#prefs = prefs;
    this.#feed = new StatusFeed(this.#api, {
      document: (document) => this.#take(document),
      clock: ({ value, sentAt, receivedAt }) =>
        this.#clock.observe({ serverTime: Date.parse(value.server_time), sentAt, receivedAt }),
      reachability: (reachability) => this.#reach(reachability),
      denied: () => this.#deny(),
    });
  }

  /** Logs in with the link's token if there is one, then follows the session. */
  async run(token: string | null): Promise<void> {
    window.addEventListener("beforeunload", (event) => this.#guard(event));
    window.addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => this.#hurry());
    if (token !== null) await this.#untilAnswered(() => this.#login(token));
    await this.#untilAnswered(() => this.#configure());
    this.#feed.start();
    window.setInterval(() => this.#tick(), TICK_MS);
  }

  /** A refused token is no verdict: an earlier login may still hold. The status decides. */
  async #login(token: string): Promise<void> {
    try {
      await this.#api.login(token);
    } catch (error) {
      if (!(error instanceof Problem) || error.isPassing) throw error;
    }
  }

  async #configure(): Promise<void> {
    const { terminal_url } = await this.#api.pageConfig();
    this.#terminal = new URL(terminal_url, window.location.href);
  }

  /** Repeats what got no answer; the page says so meanwhile. */
  async #untilAnswered(action: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await action();
      } catch (error) {
        if (!(error instanceof Unreachable || error instanceof Problem)) throw error;
        if (attempt > 0) this.#place.replaceChildren(unreachablePage());
        const pause = 250 + backoffMs(attempt, Math.random());
        await new Promise((resolve) => window.setTimeout(resolve, pause));
      }
    }
  }

  #take(document: StatusDocument): void {
    this.#document = document;
    window.document.title = document.exam.title;
    this.#show(viewFor(document, this.#started));
    this.#update();
    if (document.state === "terminated" || document.state === "failed") this.#feed.stop();
  }

  #show(name: ViewName): void {
    if (this.#shown === name) return;
    this.#view?.dispose?.();
    hush();
    this.#shown = name;
    this.#view = this.#make(name);
    this.#place.classList.toggle("fixed", name === "terminal");
    this.#place.replaceChildren(this.#view.root);
    this.#update();
    this.#view.shown?.();
  }

  #make(name: ViewName): View {
    switch (name) {
      case "preparing":
        return new PreparingView();
      case "ready":
        // Fetched while the candidate reads, so that Start opens at once.
        void import("./terminal/view").catch(() => undefined);
        return new ReadyView(() => this.#start());
      case "terminal":
        return new RunningView({
          api: this.#api,
          terminal: this.#terminal,
          prefs: this.#prefs,
          askStatus: () => this.#refresh(),
        });
      case "terminated":
        return new TerminatedView();
      case "failed":
        return new FailedView();
    }
  }

  #start(): void {
    this.#started = true;
    this.#show("terminal");
  }

  #tick(): void {
    if (this.#sleep.parted(performance.now(), Date.now())) this.#refresh();
    this.#update();
  }

  #update(): void {
    if (this.#document === null) return;
    const now = this.#clock.at(performance.now());
    this.#view?.update({ document: this.#document, now, reachability: this.#reachability });
  }

  #reach(reachability: Reachability): void {
    this.#reachability = reachability;
    if (this.#document === null && reachability === "unreachable") {
      this.#place.replaceChildren(unreachablePage());
    }
    this.#update();
  }

  #refresh(): void {
    void this.#feed.refresh().catch(() => undefined);
  }

  #hurry(): void {
    if (document.visibilityState === "hidden") return;
    this.#feed.hurry();
    if (this.#view instanceof RunningView) this.#view.hurry();
  }

  #deny(): void {
    this.#view?.dispose?.();
    this.#view = null;
    this.#document = null;
    this.#place.classList.remove("fixed");
    this.#place.replaceChildren(deniedPage());
  }

  /** Asks before Ctrl+W or a closed window takes a running exam away. */
  #guard(event: BeforeUnloadEvent): void {
    if (this.#shown === "terminal") event.preventDefault();
  }
}

/** The view a document asks for. A pressed Start shows the terminal until the server agrees. */
function viewFor(document: StatusDocument, started: boolean): ViewName {
  switch (document.state) {
    case "created":
    case "initializing":
      return "preparing";
    case "ready":
      return started ? "terminal" : "ready";
    case "running":
      return "terminal";
    case "terminated":
    case "failed":
      return document.state;
  }
}
