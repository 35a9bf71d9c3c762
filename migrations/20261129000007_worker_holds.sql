-- Owner: job-queue.
ALTER TABLE workers ADD COLUMN holds_because text;
COMMENT ON COLUMN workers.holds_because IS 'Why the worker lives and claims nothing; NULL while it claims.';
