import type { ExamApi } from "../api/client";
import { ask } from "./dialogs";
import type { Notes } from "./notes";

/** Asks whether to end the exam; when sure, has the server end it. Resolves to whether it was. */
export async function endExam(api: ExamApi, notes: Notes): Promise<boolean> {
  const sure = await ask({
    title: "End your exam now?",
    text: "The terminal closes for good. You cannot come back to it, even if time is left.",
    yes: "End exam",
    no: "Keep working",
    danger: true,
  });
  if (!sure) return false;
  try {
    await api.end();
    notes.hold("Ending your exam.", "calm");
    return true;
  } catch {
    const words = "The exam server did not take that. Your exam goes on; please try again.";
    notes.pass(words, "warn");
    return false;
  }
}
