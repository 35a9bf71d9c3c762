import type { Connection } from "../terminal/connection";
import type { Liveness } from "../terminal/liveness";
import { ageWords } from "../clock/words";
import type { Link } from "./bar";

/** The connection as the bar shows it: a shape, a word, a measured figure. */
export function linkOf(connection: Connection, liveness: Liveness, now: number): Link {
  switch (connection.phase) {
    case "attached": {
      const quiet = liveness.quietMs(now);
      if (quiet !== null) {
        return { shape: "waiting", words: "Connected", figure: lastByteWords(quiet) };
      }
      const trip = liveness.roundTripMs;
      return {
        shape: "attached",
        words: "Connected",
        figure: trip === null ? "" : milliseconds(trip),
      };
    }
    case "stopped":
      return {
        shape: "stopped",
        words: "Not connected",
        figure: lastByteWords(liveness.ageMs(now)),
      };
    case "idle":
    case "ticket":
    case "opening":
    case "waiting": {
      const first = connection.tries.attempt === 0 && connection.tries.code === null;
      if (first) return { shape: "waiting", words: "Connecting", figure: "" };
      return {
        shape: "waiting",
        words: "Reconnecting",
        figure: lastByteWords(liveness.ageMs(now)),
      };
    }
  }
}

/** The age of the last byte; empty where none ever came. */
function lastByteWords(ms: number | null): string {
  return ms === null ? "" : `last byte ${ageWords(ms)} ago`;
}

/** A measured span as it is shown. */
export function milliseconds(ms: number): string {
  return ms < 1 ? "under 1 ms" : `${Math.round(ms)} ms`;
}
