import { announce } from "./announce";
import { el } from "./dom";

/** One page for absent, foreign and not yet started sessions: it tells nobody which. */
export function deniedPage(): HTMLElement {
  announce("Not available.");
  return el(
    "main",
    { class: "centre" },
    el(
      "div",
      { class: "column" },
      el("h1", { tabIndex: -1 }, "Not available."),
      el(
        "p",
        { class: "lead" },
        "Open your exam again from the page or message that brought you here. If that does not help, ask the exam staff.",
      ),
    ),
  );
}
