import type { Attribution, StageName, StageState } from "../api/types";

const STAGES: Readonly<Record<StageName, { readonly done: string; readonly doing: string }>> = {
  waiting: { doing: "Waiting for a place", done: "Place reserved" },
  creating: { doing: "Creating your environment", done: "Environment created" },
  isolating: { doing: "Checking that it is isolated", done: "Isolation checked" },
  ready: { doing: "Ready", done: "Ready" },
};

/** A stage in a candidate's words. */
export function stageWords(name: StageName, state: StageState): string {
  const words = STAGES[name];
  if (words === undefined) return name;
  return state === "done" ? words.done : words.doing;
}

const CAUSES: Readonly<Record<Attribution, string>> = {
  platform: "The exam platform, not you",
  environment: "How this exam is set up, not you",
  candidate: "Something that ran in your environment",
};

/** Whose doing a failure was, in a candidate's words; null for an unknown attribution. */
export function causeWords(attribution: Attribution): string | null {
  return CAUSES[attribution] ?? null;
}

/** Splits the server's text into a headline (its first sentence, without the stop) and the rest. */
export function headline(text: string): { readonly title: string; readonly rest: string } {
  const end = /[.!?](?=\s|$)/.exec(text);
  if (end === null) return { title: text.trim(), rest: "" };
  const stop = text[end.index] === "." ? end.index : end.index + 1;
  return { title: text.slice(0, stop).trim(), rest: text.slice(end.index + 1).trim() };
}
