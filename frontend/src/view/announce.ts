import { type Line, Speech, type Urgency } from "./speech";

/** How something is said; `topic` names what a later line on it makes untrue. */
interface Manner {
  readonly urgency?: Urgency;
  readonly topic?: string;
}

const speech = new Speech(show, (action, ms) => {
  const timer = window.setTimeout(action, ms);
  return () => window.clearTimeout(timer);
});

/** Says something to screen readers, outside the grid, when its turn comes. */
export function announce(text: string, { urgency = "polite", topic }: Manner = {}): void {
  if (text !== "") speech.say({ text, urgency, ...(topic !== undefined && { topic }) });
}

/** Takes back what was said on a topic; everything where the page shows another state now. */
export function hush(topic?: string): void {
  speech.hush(topic);
}

/** Puts a line into the region of its urgency, alone: two regions would be read as both true. */
function show(line: Line | null): void {
  for (const region of [polite(), assertive()]) region?.replaceChildren();
  // A new node even for the same words: said again is news again.
  if (line !== null) (line.urgency === "now" ? assertive() : polite())?.append(line.text);
}

function polite(): HTMLElement | null {
  return document.getElementById("announce-polite");
}

function assertive(): HTMLElement | null {
  return document.getElementById("announce-now");
}
