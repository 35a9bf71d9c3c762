-- Owner: job-queue.
-- A run that an operator fenced off ended in none of the other ways.
ALTER TABLE job_attempts DROP CONSTRAINT job_attempts_outcome;
ALTER TABLE job_attempts ADD CONSTRAINT job_attempts_outcome
    CHECK (outcome IN ('done', 'retry', 'snooze', 'dead', 'cancelled', 'released', 'lease_expired', 'killed', 'evicted'));
