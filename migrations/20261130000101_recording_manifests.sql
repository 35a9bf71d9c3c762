-- Owner: session-recording.
CREATE TABLE recording_manifests (
    session_id uuid        NOT NULL CONSTRAINT recording_manifests_recording_fk REFERENCES session_recordings (session_id),
    segments   bigint      NOT NULL CONSTRAINT recording_manifests_segments CHECK (segments >= 0),
    last_hash  bytea       NOT NULL CONSTRAINT recording_manifests_last_hash CHECK (octet_length(last_hash) = 32),
    closed_at  timestamptz NOT NULL,
    signed_at  timestamptz NOT NULL,
    key_id     bytea       NOT NULL CONSTRAINT recording_manifests_key_id CHECK (octet_length(key_id) = 32),
    signature  bytea       NOT NULL CONSTRAINT recording_manifests_signature CHECK (octet_length(signature) = 64),
    CONSTRAINT recording_manifests_pk PRIMARY KEY (session_id, segments, key_id)
);
COMMENT ON TABLE recording_manifests IS 'What a terminal process signed of a closed recording: one row when it is closed, and one more each time that something arrives late, or that it is to be signed with another key.';
COMMENT ON COLUMN recording_manifests.segments IS 'How many segments, from the first, it speaks of; last_hash is that of the last of them.';
COMMENT ON COLUMN recording_manifests.signed_at IS 'By the clock of the process that signed, which the owner of the tables does not set.';
COMMENT ON COLUMN recording_manifests.key_id IS 'SHA-256 of the public key (its SubjectPublicKeyInfo, DER).';
COMMENT ON COLUMN recording_manifests.signature IS 'Ed25519 over the manifest''s text, of which crates/session-recording has the one form.';
-- They go with their recording, and in no other way.
CREATE TRIGGER recording_manifests_append_only BEFORE UPDATE OR DELETE ON recording_manifests
    FOR EACH ROW EXECUTE FUNCTION guard_recording_segment();
-- Row triggers do not see TRUNCATE.
CREATE TRIGGER recording_manifests_no_truncate BEFORE TRUNCATE ON recording_manifests
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();
