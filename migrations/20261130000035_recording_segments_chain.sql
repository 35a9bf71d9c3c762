-- Owner: session-recording.
-- Whoever inserts a segment makes the chain longer, or is refused: its number is the head's next one, and
-- its hash is made of the one before.
CREATE FUNCTION chain_recording_segments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head session_recordings;
    piece recording_segments;
BEGIN
    FOR head IN
        SELECT * FROM session_recordings r WHERE r.session_id IN (SELECT session_id FROM added)
        ORDER BY r.session_id FOR UPDATE
    LOOP
        FOR piece IN SELECT * FROM added a WHERE a.session_id = head.session_id ORDER BY a.seq LOOP
            IF piece.seq <> head.next_seq THEN
                RAISE EXCEPTION 'segment % of recording % comes before its turn: % is next',
                    piece.seq, head.session_id, head.next_seq USING ERRCODE = 'restrict_violation';
            END IF;
            -- The one form of a header, as crates/session-recording writes it; 4 of 8 bytes of the epoch.
            IF piece.hash <> sha256(head.last_hash || '\x63617272656c310a'::bytea || uuid_send(piece.session_id)
                || substr(int8send(piece.shell_epoch), 5) || uuid_send(piece.writer)
                || int8send(piece.writer_seq) || int8send(piece.from_offset) || int8send(piece.to_offset)
                || int8send((extract(epoch FROM piece.started_at) * 1000000)::bigint)
                || int4send(piece.entries) || int4send(piece.raw_length) || piece.raw_hash) THEN
                RAISE EXCEPTION 'segment % of recording % has a hash that is not made of its header and the hash before',
                    piece.seq, head.session_id USING ERRCODE = 'restrict_violation';
            END IF;
            head.next_seq := head.next_seq + 1;
            head.last_hash := piece.hash;
        END LOOP;
        UPDATE session_recordings SET next_seq = head.next_seq, last_hash = head.last_hash
        WHERE session_id = head.session_id;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER recording_segments_chain AFTER INSERT ON recording_segments
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION chain_recording_segments();

CREATE FUNCTION guard_recording_segment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('carrel.old_recordings_go', true) = 'on'
       AND EXISTS (SELECT FROM session_recordings r
                   WHERE r.session_id = OLD.session_id AND r.closed_at < now() - interval '30 days') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER recording_segments_append_only ON recording_segments;
CREATE TRIGGER recording_segments_append_only BEFORE UPDATE OR DELETE ON recording_segments
    FOR EACH ROW EXECUTE FUNCTION guard_recording_segment();
