-- Owner: job-queue.
ALTER TABLE queues
    ADD COLUMN concurrency integer CONSTRAINT queues_concurrency_positive CHECK (concurrency > 0),
    ADD COLUMN claims      bigint  NOT NULL DEFAULT 0;
COMMENT ON COLUMN queues.concurrency IS 'How many of its jobs may run at once, over all workers; NULL: as many as there are slots.';
COMMENT ON COLUMN queues.claims IS 'Grows with each claim while the queue has a limit. A claimer whose snapshot shows another number than the locked row counts nothing: it has not seen what others run.';
