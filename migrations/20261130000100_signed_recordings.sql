-- Owner: session-recording.
-- What was signed of a recording stands beside it; a closed one that has grown since is to be signed again.
ALTER TABLE session_recordings ADD COLUMN signed_segments bigint;
COMMENT ON COLUMN session_recordings.signed_segments IS 'How many segments its newest manifest in recording_manifests covers, which is all; null where something is not signed.';
-- Closed recordings of which something is not signed yet. No column that a shipment moves is in it, nor in its
-- condition: such a column would end updates in place of every running recording.
CREATE INDEX session_recordings_unsigned ON session_recordings (closed_at)
    WHERE closed_at IS NOT NULL AND signed_segments IS NULL;
