import type { Schedule } from "../terminal/credit";

/** Each line has the floor for so long: one that goes sooner is cut short by most readers. */
const FLOOR_MS = 2_000;
/** A line this old is no news: whoever reads the page later must not find it still said. */
const NEWS_FOR_MS = 10_000;

/** `now` interrupts; `polite` waits its turn; an `aside` waits for both and gives way to both. */
export type Urgency = "now" | "polite" | "aside";

/** Something to say. Of two lines on one topic, the older is over. */
export interface Line {
  readonly text: string;
  readonly urgency: Urgency;
  readonly topic?: string;
}

const RANK: Readonly<Record<Urgency, number>> = { now: 0, polite: 1, aside: 2 };

/**
 * Says one line at a time, the urgent first and each long enough to be heard. What is interrupted
 * is said again; what is over is not.
 */
export class Speech {
  readonly #show: (line: Line | null) => void;
  readonly #schedule: Schedule;
  #said: Line | null = null;
  #waiting: Line[] = [];
  #hasFloor = false;
  #cancel: () => void = () => undefined;

  /** `show` puts a line where it is read, or takes away what is there. */
  constructor(show: (line: Line | null) => void, schedule: Schedule) {
    this.#show = show;
    this.#schedule = schedule;
  }

  /** Says a line as soon as its turn comes, unless it is being said or waits to be. */
  say(line: Line): void {
    if (this.#isToBeHeard(line)) return;
    this.#waiting = this.#waiting.filter((other) => !isOver(other, line));
    this.#queue(line);
    if (this.#giveWayTo(line)) this.#next();
  }

  /** Takes back what is said or waits on a topic; everything without one. */
  hush(topic?: string): void {
    const stays = (line: Line): boolean => topic !== undefined && line.topic !== topic;
    this.#waiting = this.#waiting.filter(stays);
    if (this.#said !== null && !stays(this.#said)) this.#next();
  }

  /** Whether the very same is said now, or will be with nothing newer on its topic. */
  #isToBeHeard(line: Line): boolean {
    const isSame = (other: Line): boolean =>
      other.text === line.text && other.urgency === line.urgency && other.topic === line.topic;
    const isSaid = this.#hasFloor && this.#said !== null && isSame(this.#said);
    const isOvertaken = this.#waiting.some((other) => isOver(other, line) && !isSame(other));
    return !isOvertaken && (isSaid || this.#waiting.some(isSame));
  }

  /** Whether what is said ends for `line`. */
  #giveWayTo(line: Line): boolean {
    const said = this.#said;
    if (said === null || !this.#hasFloor || isOver(said, line)) return true;
    if (RANK[line.urgency] >= RANK[said.urgency]) return false;
    if (said.urgency !== "aside") this.#queue(said, "first");
    return true;
  }

  /** Puts a line after those of its urgency, or before them. */
  #queue(line: Line, place: "first" | "last" = "last"): void {
    const after = place === "last" ? RANK[line.urgency] : RANK[line.urgency] - 1;
    const at = this.#waiting.findIndex(({ urgency }) => RANK[urgency] > after);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, line);
  }

  #next(): void {
    this.#cancel();
    this.#said = this.#waiting.shift() ?? null;
    this.#hasFloor = this.#said !== null;
    this.#show(this.#said);
    if (this.#said !== null) this.#after(FLOOR_MS, () => this.#yield());
  }

  /** The line has been heard: it stays readable until the next, or until it is no news. */
  #yield(): void {
    this.#hasFloor = false;
    if (this.#waiting.length > 0) this.#next();
    else this.#after(NEWS_FOR_MS - FLOOR_MS, () => this.#next());
  }

  #after(ms: number, action: () => void): void {
    this.#cancel = this.#schedule(action, ms);
  }
}

function isOver(older: Line, newer: Line): boolean {
  return older.topic !== undefined && older.topic === newer.topic;
}
