import type { StopReason } from "../terminal/closing";
import type { Exit } from "../terminal/frames";
import { Card } from "./card";
import { elsewhereCard } from "./elsewhere";
import { notArrivedWords } from "./not-arrived";

interface Stopped {
  /** How the shell ended, if it was told. */
  readonly exit: Exit | null;
  /** How many typed characters may not have arrived. */
  readonly notArrived: number;
  /** What staff are told. */
  readonly reference: string;
  /** Attaches once more. */
  readonly again: () => void;
}

/** The card for a terminal at rest. */
export function stoppedCard(why: StopReason, stopped: Stopped): Card {
  const { exit, notArrived, reference, again } = stopped;
  switch (why) {
    case "superseded":
      return elsewhereCard(notArrived, again);
    case "shell_exited":
      return new Card({
        title: "Your shell has ended",
        text: `${exitWords(exit)}${sentence(notArrivedWords(notArrived))}Your files are still there, and the exam goes on.`,
        action: { label: "Open a new shell", run: again },
      });
    case "ended":
    case "environment_gone":
      return new Card({
        title: "The terminal has been closed",
        text: "Nothing typed from now on counts. Asking the exam server how it ended.",
      });
    case "login_expired":
      return new Card({
        title: "Your login has run out",
        text: "Your shell is still running. Open the exam again from your exam platform to come back to it.",
      });
    case "not_available":
      return new Card({
        title: "The terminal is closed for now",
        text: `The exam server does not let this page in at the moment. If this stays, tell the exam staff the reference ${reference}.`,
        action: { label: "Try again", run: again },
      });
    case "fault":
      return new Card({
        title: "The terminal could not be opened",
        text: `Your shell is not affected. If trying again does not help, tell the exam staff the reference ${reference}.`,
        action: { label: "Try again", run: again },
      });
  }
}

function sentence(words: string): string {
  return words === "" ? "" : `${words} `;
}

function exitWords(exit: Exit | null): string {
  if (exit === null) return "";
  if (exit.signal !== null && exit.signal !== undefined)
    return `It was ended by signal ${exit.signal}. `;
  return exit.code === null || exit.code === 0 ? "" : `It ended with status ${exit.code}. `;
}
