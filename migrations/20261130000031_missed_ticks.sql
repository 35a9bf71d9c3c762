-- Owner: job-queue.
CREATE TABLE missed_ticks (
    schedule  text        NOT NULL,
    tick_at   timestamptz NOT NULL,
    owed_at   timestamptz,
    worked_at timestamptz,
    worker    uuid,
    CONSTRAINT missed_ticks_pk PRIMARY KEY (schedule, tick_at),
    CONSTRAINT missed_ticks_owed_first CHECK (worked_at IS NULL OR owed_at IS NOT NULL)
);
COMMENT ON TABLE missed_ticks IS 'Whole periods in which no worker claimed a tick: paused, or nobody there. The key of a tick is when it was due.';
COMMENT ON COLUMN missed_ticks.owed_at IS 'When an operator asked for it; no tick is asked for twice.';
COMMENT ON COLUMN missed_ticks.worked_at IS 'When a worker claimed it.';
CREATE INDEX missed_ticks_owed ON missed_ticks (schedule, tick_at) WHERE owed_at IS NOT NULL AND worked_at IS NULL;
CREATE INDEX missed_ticks_age ON missed_ticks (tick_at);

-- The last due tick is the one that is claimed late; those before it are missed. Of a long gap the
-- newest 10,000 are kept: beyond that it is an outage, not a few ticks.
CREATE FUNCTION ticks_missed(last_tick timestamptz, every interval, until timestamptz)
    RETURNS SETOF timestamptz LANGUAGE sql STABLE ROWS 100 AS $$
    SELECT last_tick + number * every
    FROM (SELECT floor(extract(epoch FROM until - last_tick) / extract(epoch FROM every))::bigint - 1) AS gap (ticks),
         generate_series(greatest(1, ticks - 9999), ticks) AS number
$$;

-- In the database, so that an older worker's late tick is written down too.
CREATE FUNCTION note_missed_ticks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO missed_ticks (schedule, tick_at)
    SELECT OLD.name, missed FROM ticks_missed(
        OLD.last_tick_at, OLD.every,
        CASE WHEN isfinite(NEW.last_tick_at) THEN NEW.last_tick_at ELSE now() END) AS missed
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER schedules_note_missed AFTER UPDATE OF last_tick_at ON schedules
    FOR EACH ROW WHEN (isfinite(OLD.last_tick_at) AND OLD.every > interval '0'
                       AND OLD.last_tick_at + 2 * OLD.every <= now())
    EXECUTE FUNCTION note_missed_ticks();
