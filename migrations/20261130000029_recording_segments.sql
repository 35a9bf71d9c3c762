-- Owner: session-recording.
CREATE TABLE recording_segments (
    session_id  uuid        NOT NULL CONSTRAINT recording_segments_recording_fk REFERENCES session_recordings (session_id),
    seq         bigint      NOT NULL CONSTRAINT recording_segments_seq CHECK (seq >= 0),
    writer      uuid        NOT NULL,
    writer_seq  bigint      NOT NULL,
    shell_epoch bigint      NOT NULL,
    from_offset bigint      NOT NULL,
    to_offset   bigint      NOT NULL,
    started_at  timestamptz NOT NULL,
    entries     integer     NOT NULL,
    raw_length  integer     NOT NULL,
    raw_hash    bytea       NOT NULL CONSTRAINT recording_segments_raw_hash CHECK (octet_length(raw_hash) = 32),
    hash        bytea       NOT NULL CONSTRAINT recording_segments_hash CHECK (octet_length(hash) = 32),
    payload     bytea       NOT NULL CONSTRAINT recording_segments_payload CHECK (octet_length(payload) <= 262144),
    shipped_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT recording_segments_pk PRIMARY KEY (session_id, seq),
    CONSTRAINT recording_segments_once UNIQUE (session_id, writer, writer_seq),
    CONSTRAINT recording_segments_forward CHECK (to_offset >= from_offset)
);
-- What was compressed already shrinks no more.
ALTER TABLE recording_segments ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE recording_segments IS 'Pieces of a terminal''s recording, at most a second or 64 KiB each, one chain a session by seq and hash.';
COMMENT ON COLUMN recording_segments.seq IS 'Place in the chain, which is the order of arrival; replay goes by shell_epoch, offsets and times.';
COMMENT ON COLUMN recording_segments.writer IS 'The life of the terminal process that recorded it; writer_seq counts its segments of the session, so that each is shipped once.';
COMMENT ON COLUMN recording_segments.hash IS 'SHA-256 of the hash before, the header and raw_hash.';
COMMENT ON COLUMN recording_segments.payload IS 'The entries, compressed (zstd); never more than 64 KiB before.';
-- Evidence is not edited.
CREATE TRIGGER recording_segments_append_only BEFORE UPDATE OR DELETE ON recording_segments
    FOR EACH ROW EXECUTE FUNCTION forbid_history_change();
-- Row triggers do not see TRUNCATE.
CREATE TRIGGER recording_segments_no_truncate BEFORE TRUNCATE ON recording_segments
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();
