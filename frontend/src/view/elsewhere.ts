import { Card } from "./card";

/** Another tab or window has taken the terminal over. */
export function elsewhereCard(useHere: () => void): Card {
  return new Card({
    title: "This exam is open in another tab",
    text: "Only one tab can type at a time. Your shell goes on there; nothing is lost by moving it.",
    action: { label: "Use it here", run: useHere },
  });
}
