/** One life of the shell, as the server counts them. */
export type ShellEpoch = number;

/** What the terminal's session needs of whatever draws it. `view.ts` is the one that does. */
export interface Screen {
  /** The present size in cells. */
  size(): { readonly cols: number; readonly rows: number };
  /** Draws output; calls `parsed` once it has been interpreted. */
  write(bytes: Uint8Array, parsed: () => void): void;
  /** Clears the screen and its modes, after everything written before. */
  reset(): void;
  /** Stops answering what the output asks, after which replayed output types nothing. */
  mute(): void;
  /** Answers again, once everything written before has been interpreted. */
  unmuteWhenParsed(): void;
}
