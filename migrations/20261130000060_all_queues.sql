-- Owner: job-queue.
CREATE TABLE all_queues (
    only_row    boolean PRIMARY KEY DEFAULT true CONSTRAINT all_queues_one_row CHECK (only_row),
    concurrency integer CONSTRAINT all_queues_concurrency_positive CHECK (concurrency > 0),
    claims      bigint  NOT NULL DEFAULT 0
);
COMMENT ON TABLE all_queues IS 'The switch over all queues together. Without its row, and with NULL, there is no limit.';
COMMENT ON COLUMN all_queues.concurrency IS 'How many jobs may run at once, whatever their queues, over all workers.';
COMMENT ON COLUMN all_queues.claims IS 'Grows with each claim while there is a limit, as queues.claims does.';
