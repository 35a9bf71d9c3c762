-- The least that a queue with states can be: one table, one index that fits the claim.
CREATE TABLE jobs (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload jsonb       NOT NULL,
    state   text        NOT NULL DEFAULT 'ready',
    run_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX jobs_ready ON jobs (run_at, id) WHERE state = 'ready';
