-- Owner: job-queue.
ALTER TABLE queues
    ADD COLUMN priority_age interval
    CONSTRAINT queues_priority_age_bounded CHECK (priority_age BETWEEN interval '1 second' AND interval '366 days');
COMMENT ON COLUMN queues.priority_age IS 'How long a job waits until it counts as one priority higher; NULL: higher ones always go first.';

-- Simple enough to be expanded where it is called.
CREATE FUNCTION aged_run_at(run_at timestamptz, priority smallint, age interval) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(extract(epoch FROM run_at)::float8 - priority * extract(epoch FROM age)::float8, 0)
$$;
COMMENT ON FUNCTION aged_run_at IS 'What orders the due jobs of a queue, the least first, in seconds; the same for all where it has no such age. It does not change as time passes, so two jobs never change places.';

-- A function, so that a claim plans no more where no queue has an age; STRICT, so that it is not even called there.
-- The first of each priority by the index, whatever waits. As many priorities as rows are wanted can have one
-- of these: those whose own first goes first. Of each of the others one row is read.
CREATE FUNCTION first_by_age(of_queue text, age interval, wanted bigint,
                             kinds text[], oldest integer[], newest integer[])
    RETURNS TABLE (id uuid, place bigint)
    LANGUAGE plpgsql STABLE STRICT ROWS 20 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE levels(priority) AS (
        (SELECT j.priority FROM jobs j
         WHERE j.queue = of_queue AND j.state = 'ready'
         ORDER BY j.priority DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT j.priority FROM jobs j
                WHERE j.queue = of_queue AND j.state = 'ready' AND j.priority < l.priority
                ORDER BY j.priority DESC LIMIT 1)
        FROM levels l
        WHERE l.priority IS NOT NULL
    )
    SELECT f.id, row_number() OVER (ORDER BY aged_run_at(f.run_at, l.priority, age),
                                             l.priority DESC, f.run_at, f.id) AS place
    FROM (
        SELECT l.priority, h.run_at, h.id FROM levels l
        CROSS JOIN LATERAL (
            SELECT j.run_at, j.id FROM jobs j
            WHERE j.queue = of_queue AND j.state = 'ready' AND j.priority = l.priority
              AND j.run_at <= now() AND j.kind = ANY(kinds)
              AND j.kind_version BETWEEN oldest[array_position(kinds, j.kind)]
                                     AND newest[array_position(kinds, j.kind)]
            ORDER BY j.run_at, j.id
            LIMIT 1
        ) h
        ORDER BY aged_run_at(h.run_at, l.priority, age), l.priority DESC, h.run_at, h.id
        LIMIT wanted
    ) l
    CROSS JOIN LATERAL (
        SELECT j.id, j.run_at FROM jobs j
        WHERE j.queue = of_queue AND j.state = 'ready' AND j.priority = l.priority
          -- What nobody here reads before its first is not read again.
          AND (j.run_at, j.id) >= (l.run_at, l.id)
          AND j.run_at <= now() AND j.kind = ANY(kinds)
          AND j.kind_version BETWEEN oldest[array_position(kinds, j.kind)]
                                 AND newest[array_position(kinds, j.kind)]
        ORDER BY j.run_at, j.id
        LIMIT wanted
    ) f
    ORDER BY place
    LIMIT wanted;
END $$;
COMMENT ON FUNCTION first_by_age IS 'The due jobs of a queue with that age, of kinds and versions that somebody reads, that go first, in order.';
