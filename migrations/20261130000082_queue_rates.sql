-- Owner: job-queue.
ALTER TABLE queues
    ADD COLUMN rate_per_second float8 CONSTRAINT queues_rate_bounded CHECK (rate_per_second >= 0.000001 AND rate_per_second <= 1000000),
    ADD COLUMN tokens          float8,
    ADD COLUMN tokens_at       timestamptz,
    ADD CONSTRAINT queues_rate_has_tokens CHECK (num_nulls(rate_per_second, tokens, tokens_at) IN (0, 3));
COMMENT ON COLUMN queues.rate_per_second IS 'How many of its runs may be started a second, over all workers; NULL: as many as there are slots.';
COMMENT ON COLUMN queues.tokens IS 'A start takes one. They fill up with time to one second''s worth, and to one at least.';
COMMENT ON COLUMN queues.tokens_at IS 'When there were so many, by a clock that may be set back.';

-- Simple enough to be expanded where it is called.
CREATE FUNCTION queue_tokens(rate float8, tokens float8, tokens_at timestamptz, at timestamptz) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN rate IS NOT NULL THEN
        LEAST(GREATEST(rate, 1),
              tokens + rate * GREATEST(extract(epoch FROM at - tokens_at)::float8, 0)) END
$$;
COMMENT ON FUNCTION queue_tokens IS 'How many runs of a queue may be started at that time; NULL without a rate.';
