import type { StopReason } from "../terminal/closing";
import type { Connection } from "../terminal/connection";
import type { Exit } from "../terminal/frames";
import type { TerminalSession } from "../terminal/session";
import { announce } from "./announce";
import type { Curtain } from "./curtain";
import { setText } from "./dom";
import { lostCard, nextTryWords } from "./lost";
import { stoppedCard } from "./stopped";

/** A break shorter than this is not shown: the card would only flicker. */
const LOST_AFTER_MS = 400;

/** What the cards do to the page around them. */
interface CardActions {
  focusGrid(): void;
  connect(): void;
}

/** Shows by cards over the grid when the connection cannot be typed into, and why. */
export class ConnectionCards {
  readonly #curtain: Curtain;
  readonly #actions: CardActions;
  /** What a candidate tells the staff about this session. */
  reference = "";
  #exit: Exit | null = null;
  #notArrived = 0;
  #retryAt = 0;
  #lostTimer: number | undefined;

  constructor(curtain: Curtain, actions: CardActions) {
    this.#curtain = curtain;
    this.#actions = actions;
  }

  /** How the shell ended, told before the connection closes. */
  exited(exit: Exit): void {
    this.#exit = exit;
  }

  /** So many typed characters may not have arrived; a card of rest that follows says so. */
  lost(characters: number): void {
    this.#notArrived = characters;
  }

  /** The connection has changed. */
  changed(connection: Connection): void {
    if (connection.phase === "waiting") this.#retryAt = performance.now() + connection.delayMs;
    if (isTrying(connection)) return this.#trying(connection);
    this.dispose();
    if (connection.phase === "stopped") this.#stopped(connection.why);
    else this.#attached();
  }

  /** Time has passed: the card's last line counts down. */
  tick({ connection, liveness }: TerminalSession): void {
    const card = this.#curtain.card;
    if (card === null || card.next.hidden || !isTrying(connection)) return;
    const now = performance.now();
    const age = liveness.ageMs(now);
    setText(card.next, nextTryWords(connection, this.#retryAt - now, age, navigator.onLine));
  }

  dispose(): void {
    window.clearTimeout(this.#lostTimer);
    this.#lostTimer = undefined;
  }

  /** Steps of one break do not put its card off. */
  #trying(connection: Connection): void {
    // A card of rest goes away with the person's own press, at once.
    const delay = this.#curtain.card === null ? LOST_AFTER_MS : 0;
    const isFirst = connection.tries.attempt === 0;
    this.#lostTimer ??= window.setTimeout(() => {
      this.#lostTimer = undefined;
      this.#lost(isFirst);
    }, delay);
  }

  #attached(): void {
    const wasAway = this.#curtain.lift();
    this.#exit = null;
    this.#actions.focusGrid();
    if (wasAway) announce("Connected. You can type.", { topic: "connection" });
  }

  #lost(isFirst: boolean): void {
    const { card } = this.#curtain;
    const isOpening = isFirst && card !== null;
    if (isOpening || card?.title === "Reconnecting") return;
    const lost = lostCard();
    lost.next.hidden = false;
    this.#curtain.draw(lost);
  }

  #stopped(why: StopReason): void {
    const again = (): void => this.#actions.connect();
    const card = stoppedCard(why, {
      exit: this.#exit,
      notArrived: this.#notArrived,
      reference: this.reference,
      again,
    });
    this.#notArrived = 0;
    this.#curtain.draw(card);
    card.focus();
  }
}

function isTrying(connection: Connection): boolean {
  return connection.phase !== "attached" && connection.phase !== "stopped";
}
