-- Owner: job-queue.
-- Apart from its making, so that the look at every row holds up nobody.
ALTER TABLE jobs VALIDATE CONSTRAINT jobs_run_at_is_finite;
