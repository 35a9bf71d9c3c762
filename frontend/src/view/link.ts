import type { Connection } from "../terminal/connection";
import type { Liveness } from "../terminal/liveness";
import type { Link } from "./bar";

/** The connection as the bar shows it: a shape, a word, a measured figure. */
export function linkOf(connection: Connection, liveness: Liveness, now: number): Link {
  switch (connection.phase) {
    case "attached": {
      const quiet = liveness.quietMs(now);
      if (quiet !== null) {
        return {
          shape: "waiting",
          words: "Connected",
          figure: `last byte ${seconds(quiet)} s ago`,
        };
      }
      const trip = liveness.roundTripMs;
      return {
        shape: "attached",
        words: "Connected",
        figure: trip === null ? "" : milliseconds(trip),
      };
    }
    case "stopped":
      return { shape: "stopped", words: "Not connected", figure: "" };
    case "idle":
    case "ticket":
    case "opening":
    case "waiting": {
      const first = connection.tries.attempt === 0 && connection.tries.code === null;
      return { shape: "waiting", words: first ? "Connecting" : "Reconnecting", figure: "" };
    }
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function milliseconds(ms: number): string {
  return ms < 1 ? "under 1 ms" : `${Math.round(ms)} ms`;
}
