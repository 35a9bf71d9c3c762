-- Owner: session-recording.
CREATE TABLE session_recordings (
    session_id    uuid        CONSTRAINT session_recordings_pk PRIMARY KEY
                              CONSTRAINT session_recordings_session_fk REFERENCES exam_sessions (id),
    policy        text        CONSTRAINT session_recordings_policy CHECK (policy IN ('fail_open', 'fail_closed')),
    records_input boolean     NOT NULL DEFAULT false,
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_seq      bigint      NOT NULL DEFAULT 0 CONSTRAINT session_recordings_seq CHECK (next_seq >= 0),
    last_hash     bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
                              CONSTRAINT session_recordings_last_hash CHECK (octet_length(last_hash) = 32),
    shell_epoch   bigint      NOT NULL DEFAULT 0,
    recorded_to   bigint      NOT NULL DEFAULT 0,
    raw_bytes     bigint      NOT NULL DEFAULT 0,
    stored_bytes  bigint      NOT NULL DEFAULT 0,
    closed_at     timestamptz,
    final_hash    bytea       CONSTRAINT session_recordings_final_hash CHECK (octet_length(final_hash) = 32),
    CONSTRAINT session_recordings_closed CHECK ((closed_at IS NULL) = (final_hash IS NULL))
);
COMMENT ON TABLE session_recordings IS 'What is kept of a session''s terminal: the head of its chain of segments. Its lock makes one chain of what several processes ship.';
COMMENT ON COLUMN session_recordings.policy IS 'Null where only what a dead process left behind told of the recording.';
COMMENT ON COLUMN session_recordings.next_seq IS 'The number that the next segment takes in the chain.';
COMMENT ON COLUMN session_recordings.last_hash IS 'Hash of the newest segment; zeros before the first.';
COMMENT ON COLUMN session_recordings.shell_epoch IS 'The shell to which recorded_to belongs; 0 before the first segment.';
COMMENT ON COLUMN session_recordings.recorded_to IS 'Offset in that shell''s output up to which segments are here.';
COMMENT ON COLUMN session_recordings.closed_at IS 'When the session was over and everything known of was here.';
COMMENT ON COLUMN session_recordings.final_hash IS 'The hash at that time. What a dead process ships later moves it, and closed_at with it.';
-- Recordings that wait for the end of their session.
CREATE INDEX session_recordings_open ON session_recordings (session_id) WHERE closed_at IS NULL;

CREATE FUNCTION guard_session_recording() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'session_recordings is never cleared' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.session_id <> OLD.session_id OR NEW.next_seq < OLD.next_seq OR NEW.raw_bytes < OLD.raw_bytes
        OR (NEW.next_seq = OLD.next_seq AND NEW.last_hash <> OLD.last_hash)
        OR (NEW.shell_epoch, NEW.recorded_to) < (OLD.shell_epoch, OLD.recorded_to) THEN
        RAISE EXCEPTION 'recording % only grows', OLD.session_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER session_recordings_guard BEFORE UPDATE OR DELETE ON session_recordings
    FOR EACH ROW EXECUTE FUNCTION guard_session_recording();
-- Row triggers do not see TRUNCATE.
CREATE TRIGGER session_recordings_no_truncate BEFORE TRUNCATE ON session_recordings
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();
