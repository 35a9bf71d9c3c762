// The imitation's status documents, one a scenario.

/** Where the imitation's clock stands still, if it does. */
let held = null;
const now = () => held ?? Date.now();
const ago = (ms) => new Date(now() - ms).toISOString();
const ahead = (ms) => ago(-ms);
const MINUTE = 60_000;
const begun = new Map();

function stages(active, since = 700) {
  const names = ["waiting", "creating", "isolating", "ready"];
  const usual = [200, 2500, 2500, 300];
  const took = [100, 1900, 1400, 100];
  return names.map((name, at) => {
    const position = names.indexOf(active);
    const state = at < position ? "done" : at === position ? "active" : "pending";
    const started = state === "pending" ? null : ago(state === "active" ? since : since + took[at]);
    return {
      name,
      state,
      started_at: started,
      ended_at: state === "done" ? ago(since) : null,
      usual_ms: usual[at],
    };
  });
}

const base = (id) => ({
  session_id: id,
  user_id: "u-1042",
  environment_id: "0198a000-0000-7000-8000-0000000000e1",
  exam: { name: "linux-fundamentals", title: "Linux fundamentals", version: 3 },
  state: "running",
  revision: 7,
  stages: stages("ready"),
  attempt: 1,
  reason: null,
  ending: null,
  reference: "7F3K-22",
  clock: { kind: "from_first_attach", duration_ms: 90 * MINUTE, starts_at_attach: true },
  created_at: ago(4 * MINUTE),
  ready_by: null,
  ready_at: ago(3 * MINUTE),
  running_at: null,
  ended_at: null,
  ends_at: null,
  absolute_end: ahead(240 * MINUTE),
  remaining_ms: null,
  startup_remaining_ms: null,
  server_time: ago(0),
  can_attach: true,
  can_end: true,
  extended_ms: 0,
  last_extension: null,
  environment: { state: "up", gone_at: null },
});

const running = (left) => ({
  running_at: ago(90 * MINUTE - left),
  ends_at: ahead(left),
  remaining_ms: left,
});

const preparing = (stage, since, rest = {}) => ({
  state: stage === "waiting" ? "created" : "initializing",
  stages: stages(stage, since),
  ready_by: ahead(52_000),
  can_attach: false,
  ...rest,
});

const over = (started, ended, left) => ({
  running_at: ago(started),
  ended_at: ago(ended),
  ends_at: ago(ended - left),
  can_attach: false,
  can_end: false,
});

const failure = (klass, code, text, attribution) => ({
  state: "failed",
  reason: { class: klass, code, text, reference: "7F3K-22", attribution },
  ...over(44 * MINUTE, 3 * MINUTE, 49 * MINUTE),
});

const LEFT = {
  running: 87.7 * MINUTE,
  lost: 87.7 * MINUTE,
  elsewhere: 60 * MINUTE,
  exited: 31 * MINUTE,
  flood: 40 * MINUTE,
  full: 40 * MINUTE,
  unreachable: 22 * MINUTE,
  warning: 15 * MINUTE + 2500,
  soon: 4 * MINUTE + 51_000,
  last: 42_000,
};

const SCENARIOS = {
  created: () => preparing("waiting", 80),
  initializing: () => preparing("isolating", 700),
  slow: () => preparing("creating", 14_300, { attempt: 2 }),
  blocked: () =>
    preparing("creating", 9_300, {
      reason: {
        class: "infra",
        code: "infra.capacity",
        text: "The exam cluster is full; we are retrying.",
        reference: "7F3K-22",
        attribution: "platform",
      },
    }),
  ready: () => ({ state: "ready" }),
  window: () => ({
    state: "ready",
    clock: { kind: "window", duration_ms: null, starts_at_attach: false },
    ends_at: ahead(73 * MINUTE),
  }),
  terminated: () => ({
    state: "terminated",
    ending: {
      kind: "time_expired",
      text: "Time is up. Everything you did until the end was kept.",
      at: ago(MINUTE),
      by: "system",
    },
    extended_ms: 10 * MINUTE,
    ...over(101 * MINUTE, MINUTE, 0),
  }),
  "ended-by-staff": () => ({
    state: "terminated",
    ending: {
      kind: "operator_ended",
      text: "Your exam was ended by exam staff.",
      at: ago(MINUTE),
      by: "staff",
    },
    ...over(31 * MINUTE, MINUTE, 60 * MINUTE),
  }),
  failed: () =>
    failure(
      "infra",
      "infra.node_lost",
      "The exam machine was taken away. Staff have been told.",
      "platform",
    ),
  "failed-candidate": () =>
    failure(
      "runtime",
      "runtime.memory_exceeded",
      "Your environment used more memory than allowed and stopped.",
      "candidate",
    ),
};

/** Lets the imitation's clock stand still from here on, so many milliseconds later. */
export function holdClock(later = 0) {
  held = now() + later;
}

/** The document of a scenario; ends, once fixed, stay where they are. */
export function statusOf(id, scenario, ended) {
  const make = SCENARIOS[ended ? "ended-by-staff" : scenario];
  if (make !== undefined) return { ...base(id), ...make(), revision: ended ? 9 : 7 };
  const key = `${id} ${scenario}`;
  if (!begun.has(key)) begun.set(key, running(LEFT[scenario] ?? LEFT.running));
  return { ...base(id), ...begun.get(key) };
}
