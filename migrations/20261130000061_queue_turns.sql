-- Owner: job-queue.
CREATE TABLE queue_turns (
    queue    text        CONSTRAINT queue_turns_pk PRIMARY KEY,
    since    timestamptz NOT NULL,
    asked_at timestamptz NOT NULL
);
COMMENT ON TABLE queue_turns IS 'Queues with due jobs and a free slot for them that the limit over all queues kept waiting. Whoever claims leaves a place to each that waits longer: a worker that ends a run and claims at once would otherwise keep its place for ever.';
COMMENT ON COLUMN queue_turns.asked_at IS 'The last claim that found no place for it. Whoever stops asking loses the turn within seconds.';
