-- Owner: job-queue.
-- One table a file from here on: running workers lock several in an order of their own.
ALTER TABLE jobs
    ADD COLUMN snoozes integer NOT NULL DEFAULT 0,
    -- Waiting times are differences to run_at, and those to an infinite one are errors: such a row
    -- would fail every claim from its queue.
    ADD CONSTRAINT jobs_run_at_is_finite CHECK (isfinite(run_at)) NOT VALID;
COMMENT ON COLUMN jobs.snoozes IS 'How often in a row its runs said that it was too early.';
