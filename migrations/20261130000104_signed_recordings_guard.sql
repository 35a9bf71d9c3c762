-- Owner: session-recording.
-- What is noted as signed is: a recording that grows is to be signed again, and none is noted without its manifest.
CREATE OR REPLACE FUNCTION guard_session_recording() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('carrel.old_recordings_go', true) = 'on'
       AND OLD.closed_at < now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'session_recordings is never cleared' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.session_id <> OLD.session_id OR NEW.next_seq < OLD.next_seq OR NEW.raw_bytes < OLD.raw_bytes
        OR (NEW.next_seq = OLD.next_seq AND NEW.last_hash <> OLD.last_hash)
        OR (NEW.shell_epoch, NEW.recorded_to) < (OLD.shell_epoch, OLD.recorded_to) THEN
        RAISE EXCEPTION 'recording % only grows', OLD.session_id USING ERRCODE = 'restrict_violation';
    END IF;
    -- A dead process's leftovers may have made the row without knowing what the exam wants.
    IF NEW.started_at <> OLD.started_at OR (OLD.policy IS NOT NULL
        AND (NEW.policy, NEW.records_input) IS DISTINCT FROM (OLD.policy, OLD.records_input)) THEN
        RAISE EXCEPTION 'recording % stays as it was begun', OLD.session_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.closed_at IS NOT NULL AND NEW.raw_bytes > OLD.raw_bytes THEN
        NEW.closed_at := OLD.closed_at;
        NEW.final_hash := OLD.final_hash;
    END IF;
    IF OLD.closed_at IS NOT NULL
        AND (NEW.closed_at, NEW.final_hash) IS DISTINCT FROM (OLD.closed_at, OLD.final_hash) THEN
        RAISE EXCEPTION 'recording % stays as it was closed', OLD.session_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.closed_at IS NULL AND NEW.final_hash <> NEW.last_hash THEN
        RAISE EXCEPTION 'recording % is closed with its last hash', OLD.session_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.next_seq <> OLD.next_seq AND NOT EXISTS (
        SELECT FROM recording_segments
        WHERE session_id = NEW.session_id AND seq = NEW.next_seq - 1 AND hash = NEW.last_hash) THEN
        RAISE EXCEPTION 'recording % has no segment %', OLD.session_id, NEW.next_seq - 1
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- What has come since is not signed; nobody says that it is who has signed nothing.
    IF NEW.next_seq <> OLD.next_seq THEN
        NEW.signed_segments := NULL;
    END IF;
    IF NEW.signed_segments IS NOT NULL AND NEW.signed_segments IS DISTINCT FROM OLD.signed_segments
        AND (NEW.signed_segments <> NEW.next_seq OR NOT EXISTS (
            SELECT FROM recording_manifests
            WHERE session_id = NEW.session_id AND segments = NEW.signed_segments)) THEN
        RAISE EXCEPTION 'recording % has no manifest of % segments', OLD.session_id, NEW.signed_segments
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
