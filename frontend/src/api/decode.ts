import { type PageConfig, SESSION_STATES, type StatusDocument, type TerminalTicket } from "./types";

/** The server answered with something this page cannot read. */
export class UnreadableAnswer extends Error {
  override readonly name = "UnreadableAnswer";
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UnreadableAnswer(`${what} is not an object`);
  }
  return value as Record<string, unknown>;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new UnreadableAnswer(`${what} is missing or malformed`);
}

const isTime = (value: unknown): boolean =>
  typeof value === "string" && !Number.isNaN(Date.parse(value));
const isTimeOrNull = (value: unknown): boolean => value === null || isTime(value);

/**
 * Reads a status document. Checks every field the page decides by, and trusts the rest: the
 * server owns the shape, and an unknown extra field must never blank a candidate's screen.
 */
export function readStatusDocument(value: unknown): StatusDocument {
  const document = record(value, "status");
  check(SESSION_STATES.includes(document["state"] as never), "state");
  check(Number.isSafeInteger(document["revision"]), "revision");
  check(isTime(document["server_time"]), "server_time");
  check(Array.isArray(document["stages"]), "stages");
  check(typeof document["reference"] === "string", "reference");
  for (const field of ["ends_at", "ended_at", "running_at", "ready_by"]) {
    check(isTimeOrNull(document[field]), field);
  }
  check(typeof record(document["exam"], "exam")["title"] === "string", "exam.title");
  check(typeof record(document["clock"], "clock")["kind"] === "string", "clock.kind");
  return document as unknown as StatusDocument;
}

/** Reads the page's configuration. */
export function readPageConfig(value: unknown): PageConfig {
  const config = record(value, "page configuration");
  check(typeof config["terminal_url"] === "string", "terminal_url");
  return { terminal_url: config["terminal_url"] as string };
}

/** Reads a terminal ticket. */
export function readTicket(value: unknown): TerminalTicket {
  const ticket = record(value, "ticket");
  check(typeof ticket["ticket"] === "string", "ticket");
  return {
    ticket: ticket["ticket"] as string,
    expires_in_ms: Number(ticket["expires_in_ms"] ?? 0),
  };
}
