-- Owner: job-queue.
-- Claimed is not worked: the tick of a worker that dies or fails is owed until another ends it.
ALTER TABLE missed_ticks ADD COLUMN claimed_at timestamptz;
COMMENT ON COLUMN missed_ticks.claimed_at IS 'When a worker last claimed it; after five minutes without an end it is claimed anew.';
COMMENT ON COLUMN missed_ticks.worked_at IS 'When the work for it ended well.';
