-- Owner: job-queue.
-- What people did to jobs and queues, newest first.
CREATE INDEX job_actions_by_time ON job_actions (at, id);
