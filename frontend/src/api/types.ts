/** The documents of the exam server, as its OpenAPI document names them. */

export const SESSION_STATES = [
  "created",
  "initializing",
  "ready",
  "running",
  "terminated",
  "failed",
] as const;

export type SessionState = (typeof SESSION_STATES)[number];

export type StageName = "waiting" | "creating" | "isolating" | "ready";
export type StageState = "pending" | "active" | "done" | "failed";

/** One step of preparing the environment. Times are RFC 3339. */
export interface Stage {
  readonly name: StageName;
  readonly state: StageState;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly usual_ms: number | null;
}

export type Attribution = "candidate" | "environment" | "platform";

/** Why a session waits or failed. `text` is written for the candidate. */
export interface Reason {
  readonly class: string;
  readonly code: string;
  readonly text: string;
  readonly reference: string;
  readonly attribution: Attribution;
}

/** How a session ended. `text` is written for the candidate. */
export interface Ending {
  readonly kind: string;
  readonly text: string;
  readonly at: string | null;
  readonly by: "staff" | "candidate" | "system" | null;
}

export interface Extension {
  readonly by_ms: number;
  readonly by: "staff";
  readonly at: string;
}

/** The one source of everything this page shows. `revision` grows with each visible change. */
export interface StatusDocument {
  readonly session_id: string;
  readonly user_id: string;
  readonly environment_id: string | null;
  readonly exam: { readonly name: string; readonly title: string; readonly version: number };
  readonly state: SessionState;
  readonly revision: number;
  readonly stages: readonly Stage[];
  readonly attempt: number;
  readonly reason: Reason | null;
  readonly ending: Ending | null;
  readonly reference: string;
  readonly clock: {
    readonly kind: "from_first_attach" | "window";
    readonly duration_ms: number | null;
    readonly starts_at_attach: boolean;
  };
  readonly created_at: string;
  readonly ready_by: string | null;
  readonly ready_at: string | null;
  readonly running_at: string | null;
  readonly ended_at: string | null;
  readonly ends_at: string | null;
  readonly absolute_end: string | null;
  readonly remaining_ms: number | null;
  readonly startup_remaining_ms: number | null;
  readonly server_time: string;
  readonly can_attach: boolean;
  readonly can_end: boolean;
  readonly extended_ms: number;
  readonly last_extension: Extension | null;
  readonly environment: { readonly state: string; readonly gone_at: string | null } | null;
}

/** Where the terminal process answers; relative to the page when it is the same origin. */
export interface PageConfig {
  readonly terminal_url: string;
}

/** A single-use proof for the terminal's HELLO. */
export interface TerminalTicket {
  readonly ticket: string;
  readonly expires_in_ms: number;
}
