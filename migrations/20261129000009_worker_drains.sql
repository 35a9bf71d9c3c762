-- Owner: job-queue.
ALTER TABLE workers
    ADD COLUMN drain_requested_at timestamptz,
    ADD COLUMN drain_requested_by text,
    ADD COLUMN drain_reason       text;
COMMENT ON TABLE workers IS 'For people: who is working. Leases decide what a worker may do; the one thing that it reads here is whether an operator drains it.';
COMMENT ON COLUMN workers.drain_requested_at IS 'Since when an operator has the worker claim nothing. The claim reads it; NULL: the worker may claim.';
