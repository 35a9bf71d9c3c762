-- Owner: job-queue.
CREATE TABLE queues (
    name          text        CONSTRAINT queues_pk PRIMARY KEY,
    paused_at     timestamptz,
    paused_by     text,
    paused_reason text,
    paused_until  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE queues IS 'Queues and their switches. A queue without a row is open.';

CREATE TABLE jobs (
    id                  uuid        CONSTRAINT jobs_pk PRIMARY KEY,
    queue               text        NOT NULL CONSTRAINT jobs_queue_length CHECK (length(queue) BETWEEN 1 AND 64),
    kind                text        NOT NULL CONSTRAINT jobs_kind_length CHECK (length(kind) BETWEEN 1 AND 64),
    kind_version        integer     NOT NULL DEFAULT 1,
    payload             jsonb       NOT NULL,
    state               text        NOT NULL DEFAULT 'ready'
                        CONSTRAINT jobs_state CHECK (state IN ('ready', 'running', 'done', 'dead', 'cancelled')),
    priority            smallint    NOT NULL DEFAULT 0,
    run_at              timestamptz NOT NULL DEFAULT now(),
    attempt             integer     NOT NULL DEFAULT 0,
    max_attempts        integer     NOT NULL DEFAULT 10 CONSTRAINT jobs_max_attempts_positive CHECK (max_attempts > 0),
    crash_count         integer     NOT NULL DEFAULT 0,
    run_token           bigint      NOT NULL DEFAULT 0,
    lease_owner         uuid,
    lease_until         timestamptz,
    deadline_at         timestamptz,
    cancel_requested_at timestamptz,
    idempotency_key     text,
    session_id          uuid,
    traceparent         text,
    enqueued_by         text        NOT NULL DEFAULT 'unknown',
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at          timestamptz,
    finished_at         timestamptz,
    outcome_class       text,
    outcome_reason      text,
    CONSTRAINT jobs_running_has_lease CHECK ((state = 'running') = (lease_until IS NOT NULL AND lease_owner IS NOT NULL)),
    CONSTRAINT jobs_final_is_stamped CHECK ((state IN ('done', 'dead', 'cancelled')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE jobs IS 'The durable queue. Every write after the claim names run_token; a token only grows.';
COMMENT ON COLUMN jobs.run_token IS 'Fencing token, one higher with every claim: late beats, acks and releases of an older run match no row.';
COMMENT ON COLUMN jobs.attempt IS 'Runs that count against max_attempts; a crash or a snooze does not.';
COMMENT ON COLUMN jobs.crash_count IS 'Runs whose lease ran out. The third parks the job as dead with crashed_worker.';
COMMENT ON COLUMN jobs.session_id IS 'For inspection only; the payload is what the handler reads.';

-- Exactly the claim's predicate and order, so that a claim never sorts the backlog.
CREATE INDEX jobs_claimable ON jobs (queue, priority DESC, run_at, id) WHERE state = 'ready';
-- An expired lease is claimable directly: recovery needs no leader and no sweep.
CREATE INDEX jobs_leases ON jobs (queue, lease_until) WHERE state = 'running';
-- One live job per key. Finished jobs do not count: the key says what may not run twice at once.
CREATE UNIQUE INDEX jobs_one_live_per_key ON jobs (idempotency_key) WHERE state IN ('ready', 'running') AND idempotency_key IS NOT NULL;
CREATE INDEX jobs_by_session ON jobs (session_id, id) WHERE session_id IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state IN ('done', 'dead', 'cancelled');

CREATE TABLE job_attempts (
    job_id      uuid        NOT NULL,
    run_token   bigint      NOT NULL,
    attempt     integer     NOT NULL,
    worker      uuid        NOT NULL,
    worker_name text,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome     text        NOT NULL CONSTRAINT job_attempts_outcome
                CHECK (outcome IN ('done', 'retry', 'snooze', 'dead', 'cancelled', 'released', 'lease_expired')),
    error_class text,
    error       text,
    CONSTRAINT job_attempts_pk PRIMARY KEY (job_id, run_token)
);
COMMENT ON TABLE job_attempts IS 'History: how each run of each job ended. Snoozes are kept as their last one only.';

CREATE TABLE workers (
    incarnation uuid        CONSTRAINT workers_pk PRIMARY KEY,
    name        text        NOT NULL,
    host        text        NOT NULL,
    build       text        NOT NULL,
    queues      text[]      NOT NULL,
    kinds       text[]      NOT NULL,
    slots       integer     NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    draining_at timestamptz,
    stopped_at  timestamptz
);
COMMENT ON TABLE workers IS 'For people: who is working. Nothing decides by it; leases do.';

CREATE TABLE schedules (
    name         text        CONSTRAINT schedules_pk PRIMARY KEY,
    every        interval    NOT NULL,
    last_tick_at timestamptz NOT NULL DEFAULT '-infinity',
    last_worker  uuid,
    last_status  jsonb,
    last_ran_at  timestamptz,
    disabled_at  timestamptz,
    disabled_by  text
);
COMMENT ON TABLE schedules IS 'Recurring work. A tick belongs to whoever moves last_tick_at first; a tick that finds nothing leaves no other row.';

CREATE TABLE job_actions (
    id     bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT job_actions_pk PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    job_id uuid,
    verb   text        NOT NULL,
    actor  text        NOT NULL,
    reason text,
    detail jsonb
);
COMMENT ON TABLE job_actions IS 'What operators did to jobs and queues, and why.';

CREATE FUNCTION job_actions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'job_actions is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER job_actions_append_only BEFORE UPDATE OR DELETE ON job_actions
    FOR EACH ROW EXECUTE FUNCTION job_actions_append_only();
