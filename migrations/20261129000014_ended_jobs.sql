-- Owner: job-queue.
-- What is done leaves after days, what is dead stays longer and is listed and counted by queue:
-- neither look has to walk past the other's rows.
CREATE INDEX jobs_ended ON jobs (finished_at) WHERE state IN ('done', 'cancelled');
CREATE INDEX jobs_dead ON jobs (queue, finished_at) WHERE state = 'dead';
