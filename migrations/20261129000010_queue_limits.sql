-- Owner: job-queue.
ALTER TABLE queues
    ADD COLUMN concurrency integer CONSTRAINT queues_concurrency_positive CHECK (concurrency > 0),
    ADD COLUMN claims      bigint  NOT NULL DEFAULT 0;
COMMENT ON COLUMN queues.concurrency IS 'How many of its jobs may run at once, over all workers; NULL: as many as there are slots.';
COMMENT ON COLUMN queues.claims IS 'Grows with each claim while the queue has a limit. A claimer whose snapshot shows another number than the locked row counts nothing: it has not seen what others run.';

-- Dead jobs are listed and counted by queue; the index of all that is finished would read them all.
CREATE INDEX jobs_dead ON jobs (queue, finished_at) WHERE state = 'dead';

-- Waiting times are differences to run_at, and those to an infinite one are errors: such a row would
-- fail every claim from its queue.
ALTER TABLE jobs ADD CONSTRAINT jobs_run_at_is_finite CHECK (isfinite(run_at));
