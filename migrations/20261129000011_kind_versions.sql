-- Owner: job-queue.
ALTER TABLE workers
    ADD COLUMN oldest_versions integer[] NOT NULL DEFAULT '{}',
    ADD COLUMN newest_versions integer[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN workers.oldest_versions IS 'The oldest payload version the worker reads of each of its kinds, in their order.';
COMMENT ON COLUMN workers.newest_versions IS 'The newest one.';
