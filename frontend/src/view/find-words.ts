import type { Found } from "../terminal/search";

/** What a search found, short enough for the line beside it. */
export function foundWords(found: Found): string {
  switch (found.outcome) {
    case "found":
      return found.index < 0 ? `${found.count} found` : `${found.index + 1} of ${found.count}`;
    case "many":
      return `${found.atLeast.toLocaleString("en")} or more`;
    case "nothing":
      return "No matches";
  }
}
