-- Owner: job-queue.
CREATE TABLE job_operations (
    id                  bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT job_operations_pk PRIMARY KEY,
    verb                text        NOT NULL CONSTRAINT job_operations_verb CHECK (verb IN ('retry', 'cancel', 'snooze', 'move', 'purge')),
    filter              jsonb       NOT NULL,
    arguments           jsonb       NOT NULL,
    actor               text        NOT NULL,
    reason              text,
    rate                integer     CONSTRAINT job_operations_rate_positive CHECK (rate > 0),
    job_id              uuid,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    cursor              uuid,
    last_id             uuid        NOT NULL,
    matched             bigint      NOT NULL,
    changed             bigint      NOT NULL DEFAULT 0,
    skipped             jsonb       NOT NULL DEFAULT '{}',
    cancel_requested_at timestamptz,
    cancel_requested_by text,
    finished_at         timestamptz,
    outcome             text        CONSTRAINT job_operations_outcome CHECK (outcome IN ('done', 'cancelled', 'failed')),
    error               text,
    CONSTRAINT job_operations_end_is_whole CHECK ((finished_at IS NULL) = (outcome IS NULL))
);
COMMENT ON TABLE job_operations IS 'What operators did to many jobs at once. A chunk of jobs, their job_actions and this row change in one transaction, so that a crash loses nothing and repeats nothing.';
COMMENT ON COLUMN job_operations.filter IS 'What job_matches takes, and ids. Its times are absolute, and no job made after the operation matches.';
COMMENT ON COLUMN job_operations.job_id IS 'The job that works it.';
COMMENT ON COLUMN job_operations.cursor IS 'Jobs up to this id have been looked at.';
COMMENT ON COLUMN job_operations.last_id IS 'The last job that matched when the operation was made: none after it is looked for.';
COMMENT ON COLUMN job_operations.matched IS 'Jobs that matched when the operation was made.';
COMMENT ON COLUMN job_operations.skipped IS 'How many jobs did not fit the verb, by reason.';
COMMENT ON COLUMN job_operations.rate IS 'Jobs changed a second at most; NULL: as fast as it goes.';

CREATE FUNCTION job_error_pattern(reason text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(reason,
        '"[^"]*"|(?<!\w)''[^'']*''|`[^`]*`'
        '|\m[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\M'
        '|\m[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*|\d+(\.\d+){3}(:\d+)?|\m0x[0-9a-f]+|\m[0-9a-f]{12,}\M|\d+',
        '?', 'gi')
$$;
COMMENT ON FUNCTION job_error_pattern IS 'What failures of one sort have in common: quoted words, UUIDs, addresses and numbers become a question mark.';

CREATE FUNCTION job_error_group(kind text, class text, reason text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT left(encode(sha256(convert_to(
        concat_ws(chr(31), kind, COALESCE(class, ''), job_error_pattern(COALESCE(reason, ''))),
        'UTF8')), 'hex'), 8)
$$;
COMMENT ON FUNCTION job_error_group IS 'Names the failures of one kind, class and pattern.';

-- A plain expression, which the planner puts in place of the call: with its values known, what is
-- absent falls away and the rest can use indexes.
CREATE FUNCTION job_matches(job jobs, wanted jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (wanted ->> 'queue' IS NULL OR job.queue = wanted ->> 'queue')
       AND (wanted ->> 'kind' IS NULL OR job.kind = wanted ->> 'kind')
       AND (wanted ->> 'state' IS NULL OR job.state = wanted ->> 'state')
       AND (wanted ->> 'session_id' IS NULL OR job.session_id = (wanted ->> 'session_id')::uuid)
       AND (wanted ->> 'created_from' IS NULL OR job.created_at >= (wanted ->> 'created_from')::timestamptz)
       AND (wanted ->> 'created_before' IS NULL OR job.created_at < (wanted ->> 'created_before')::timestamptz)
       AND (wanted ->> 'error' IS NULL OR concat_ws(': ', job.outcome_class, job.outcome_reason) ~ (wanted ->> 'error'))
       AND (wanted ->> 'error_group' IS NULL
            OR job_error_group(job.kind, job.outcome_class, job.outcome_reason) = wanted ->> 'error_group')
$$;
COMMENT ON FUNCTION job_matches IS 'Whether a job is one of those that an operator means: the one predicate of every list, count, preview and operation.';

-- Operations write one row a job, and nothing deletes them.
CREATE INDEX job_actions_by_job ON job_actions (job_id, id) WHERE job_id IS NOT NULL;
