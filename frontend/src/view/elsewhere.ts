import { Card } from "./card";
import { notArrivedWords } from "./not-arrived";

/** Another tab or window has taken the terminal over. So many typed characters may not have arrived. */
export function elsewhereCard(notArrived: number, useHere: () => void): Card {
  const lost = notArrivedWords(notArrived) || "Nothing is lost by moving it.";
  return new Card({
    title: "This exam is open in another tab",
    text: `Only one tab can type at a time. Your shell goes on there. ${lost}`,
    action: { label: "Use it here", run: useHere },
  });
}
