-- Owner: session-recording.
-- The one way in which recordings go, whole: those whose session ended and which were closed so long ago.
CREATE FUNCTION recordings_delete_old(kept interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_recordings_go = 'on' AS $$
DECLARE
    -- A shorter time is none: appeals are heard for a month.
    before timestamptz := now() - greatest(kept, interval '30 days');
    gone uuid[];
BEGIN
    -- SKIP LOCKED: somebody may be shipping what was left of one, or sweeping too.
    gone := ARRAY(
        SELECT r.session_id FROM session_recordings r JOIN exam_sessions s ON s.id = r.session_id
        WHERE r.closed_at < before AND s.ended_at < before
        ORDER BY r.closed_at LIMIT most FOR UPDATE OF r SKIP LOCKED);
    DELETE FROM recording_segments WHERE session_id = ANY (gone);
    DELETE FROM session_recordings WHERE session_id = ANY (gone);
    RETURN cardinality(gone);
END $$;
COMMENT ON FUNCTION recordings_delete_old IS 'The one way in which recordings go: whole, those closed longer ago than kept, and than 30 days, oldest first.';
