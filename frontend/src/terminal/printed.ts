import { ParsedOutput, type Schedule } from "./credit";
import type { Resume, ServerFrame, Welcome } from "./frames";
import type { Screen } from "./screen";

/** Output on its way to the screen, exact over any number of connections by its offsets. */
export class PrintedOutput {
  readonly #screen: Screen;
  readonly #parsed: ParsedOutput;
  #epoch: number | null = null;
  /** Counts connections; zero while there is none. */
  #connection = 0;
  #connections = 0;
  #received = 0;
  #skip = 0;
  #replaying = false;

  constructor(screen: Screen, acknowledge: (offset: number) => void, schedule: Schedule) {
    this.#screen = screen;
    this.#parsed = new ParsedOutput(acknowledge, schedule);
  }

  /** Where the next connection goes on; null for a shell not seen yet. */
  get resume(): Omit<Resume, "in_off"> | null {
    return this.#epoch === null ? null : { epoch: this.#epoch, out_off: this.#received };
  }

  /** A connection begins; returns whether it is to the same shell as before. */
  begin({ epoch, replay_from }: Welcome): boolean {
    const isSameShell = epoch === this.#epoch;
    if (!isSameShell && (this.#epoch !== null || this.#received > 0)) this.#screen.reset();
    // A server may repeat output that is on the screen already; it is skipped, never redrawn.
    this.#skip = isSameShell ? Math.max(0, this.#received - replay_from) : 0;
    this.#received = replay_from;
    this.#epoch = epoch;
    this.#connections += 1;
    this.#connection = this.#connections;
    this.#parsed.begin(replay_from);
    return isSameShell;
  }

  /** Output came. */
  print(bytes: Uint8Array): void {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    this.#received += bytes.length;
    const end = this.#received;
    const connection = this.#connection;
    this.#screen.write(bytes.subarray(skipped), () => {
      // The server of another connection has sent none of it, and may have another shell.
      if (connection === this.#connection) this.#parsed.parsed(end);
    });
  }

  /**
   * A replay begins or ends. After one that lost its beginning the server makes a full-screen program
   * draw itself anew.
   */
  replay(replay: Extract<ServerFrame, { type: "replay" }>): void {
    this.#endReplay();
    if (replay.mark === "begin") this.#beginReplay(replay.truncated);
  }

  /** The connection has ended, maybe within a replay: a terminal left mute would be dead. */
  end(): void {
    this.#connection = 0;
    this.#parsed.end();
    this.#endReplay();
  }

  /** What comes next is no continuation. */
  forget(): void {
    this.#epoch = null;
  }

  #beginReplay(truncated: boolean): void {
    if (truncated) {
      this.#skip = 0;
      this.#screen.reset();
    }
    this.#replaying = true;
    this.#screen.mute();
  }

  #endReplay(): void {
    if (this.#replaying) this.#screen.unmuteWhenParsed();
    this.#replaying = false;
  }
}
