-- Owner: job-queue.
ALTER TABLE workers
    ADD COLUMN holds_because text,
    ADD COLUMN held_kinds    text[],
    ADD CONSTRAINT workers_hold_is_whole CHECK ((holds_because IS NULL) = (held_kinds IS NULL));
COMMENT ON COLUMN workers.holds_because IS 'Why the worker lives and does not claim the held kinds; NULL while it claims all of its own.';
