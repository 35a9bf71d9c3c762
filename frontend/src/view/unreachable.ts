import type { Reachability } from "../status/feed";
import { el } from "./dom";

/** The lasting line while the exam server does not answer; null while it does. */
export function unreachableWords(reachability: Reachability, counting: boolean): string | null {
  if (reachability === "reachable") return null;
  if (reachability === "login_expired") {
    return "Your login has run out, so this page no longer hears from the exam server. Open the exam again from your exam platform; your shell goes on.";
  }
  const known = counting
    ? " The clock is the server's; this is our last knowledge of it."
    : " This is the last it said. Trying again by itself.";
  return `The exam server cannot be reached.${known}`;
}

/** The page while nothing at all is known yet and the exam server does not answer. */
export function unreachablePage(): HTMLElement {
  return el(
    "main",
    { class: "centre" },
    el(
      "div",
      { class: "column" },
      el("h1", {}, "The exam server cannot be reached"),
      el(
        "p",
        { class: "lead" },
        "Trying again by itself. Please check your network; if others have the same trouble, tell the exam staff.",
      ),
    ),
  );
}
