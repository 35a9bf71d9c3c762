import type { KeyToPaint } from "../terminal/latency";
import type { Liveness } from "../terminal/liveness";
import { milliseconds } from "./link";

/** What is measured of the way from a key to the screen, as the help lists it. */
export function connectionFacts(
  liveness: Liveness,
  latency: KeyToPaint,
): readonly (readonly [what: string, value: string])[] {
  return [
    ["This page to the exam server and back", figure(liveness.roundTripMs)],
    ["Exam server to your shell and back", figure(liveness.legMs)],
    ["From a key to the screen", figure(latency.medianMs)],
  ];
}

function figure(ms: number | null): string {
  return ms === null ? "not yet" : milliseconds(ms);
}
