-- Owner: session-recording.
-- A recording goes with what was signed of it.
CREATE OR REPLACE FUNCTION recordings_delete_old(kept interval, most bigint) RETURNS bigint
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
    DELETE FROM recording_manifests WHERE session_id = ANY (gone);
    DELETE FROM session_recordings WHERE session_id = ANY (gone);
    RETURN cardinality(gone);
END $$;
