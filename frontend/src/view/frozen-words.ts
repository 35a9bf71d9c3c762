/** Why typing waits, by the key that the terminal process gives. */
export function frozenWords(key: string): string {
  if (key === "terminal.not_recorded") {
    return "Your exam is paused because it cannot be recorded. It is not your fault. What you typed is kept.";
  }
  if (key === "terminal.recording_full") {
    return "Your exam is paused: this terminal printed more than can be recorded. Call the supervisor. What you typed is kept.";
  }
  return "Typing is paused by the exam server. What you typed is kept.";
}
