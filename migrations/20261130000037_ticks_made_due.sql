-- Owner: job-queue.
ALTER TABLE schedules
    ADD COLUMN due_since timestamptz,
    ADD COLUMN owed_claimed_at timestamptz,
    ADD COLUMN missed_known_from timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN schedules.due_since IS 'Since when the next tick is due because an operator said so, while last_tick_at is -infinity.';
COMMENT ON COLUMN schedules.owed_claimed_at IS 'When a tick that an operator asked for was last claimed: these have a pace of their own.';
COMMENT ON COLUMN schedules.missed_known_from IS 'What was missed before is not on record: older than the history, beyond the newest 10,000 of a gap, or before the schedule.';
UPDATE schedules s SET
    due_since = CASE WHEN NOT isfinite(last_tick_at) THEN now() END,
    missed_known_from = least(now(), CASE WHEN isfinite(last_tick_at) THEN last_tick_at END,
                              (SELECT min(tick_at) FROM missed_ticks m WHERE m.schedule = s.name));

-- Before the row is written, since it says what the gap has left of what is known. A gap that begins with
-- a tick made due begins when it was, so that what goes by until somebody works is written down too.
DROP TRIGGER schedules_note_missed ON schedules;
CREATE OR REPLACE FUNCTION note_missed_ticks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    begun  timestamptz := CASE WHEN isfinite(OLD.last_tick_at) THEN OLD.last_tick_at
                               ELSE OLD.due_since - OLD.every END;
    ended  timestamptz := CASE WHEN isfinite(NEW.last_tick_at) THEN NEW.last_tick_at ELSE now() END;
    oldest timestamptz;
BEGIN
    NEW.due_since := CASE WHEN NOT isfinite(NEW.last_tick_at) THEN coalesce(OLD.due_since, now()) END;
    IF OLD.every > interval '0' AND begun + 2 * OLD.every <= now() THEN
        INSERT INTO missed_ticks (schedule, tick_at)
        SELECT OLD.name, missed FROM ticks_missed(begun, OLD.every, ended) AS missed
        ON CONFLICT DO NOTHING;
        SELECT min(missed) INTO oldest FROM ticks_missed(begun, OLD.every, ended) AS missed;
        IF oldest > begun + OLD.every THEN
            NEW.missed_known_from := greatest(OLD.missed_known_from, oldest);
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER schedules_note_missed BEFORE UPDATE OF last_tick_at ON schedules
    FOR EACH ROW EXECUTE FUNCTION note_missed_ticks();
