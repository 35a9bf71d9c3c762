-- Owner: session-lifecycle.
-- What a candidate did stays on record under another name, once their session has been over for long.
CREATE FUNCTION guard_session_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('carrel.old_names_go', true) = 'on'
       AND OLD.at < now() - interval '30 days' AND OLD.actor LIKE 'candidate:%' AND NEW.actor LIKE 'candidate:%'
       AND is_pseudonym(substr(NEW.actor, 11)) AND NOT is_pseudonym(substr(OLD.actor, 11))
       AND to_jsonb(NEW) - 'actor' = to_jsonb(OLD) - 'actor' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER session_transitions_append_only ON session_transitions;
CREATE TRIGGER session_transitions_append_only BEFORE UPDATE OR DELETE ON session_transitions
    FOR EACH ROW EXECUTE FUNCTION guard_session_transition();

CREATE FUNCTION session_transitions_pseudonymise(kept interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_names_go = 'on' AS $$
DECLARE
    renamed bigint;
BEGIN
    UPDATE session_transitions SET actor = 'candidate:' || pseudonym_of(substr(actor, 11), pseudonym_secret())
     WHERE id = ANY (ARRAY(
        SELECT t.id FROM session_transitions t JOIN exam_sessions s ON s.id = t.session_id
         WHERE t.actor LIKE 'candidate:%' AND NOT is_pseudonym(substr(t.actor, 11))
           AND t.at < now() - greatest(kept, interval '30 days')
           AND s.ended_at < now() - greatest(kept, interval '30 days')
         ORDER BY t.at LIMIT most FOR UPDATE OF t SKIP LOCKED));
    GET DIAGNOSTICS renamed = ROW_COUNT;
    RETURN renamed;
END $$;
COMMENT ON FUNCTION session_transitions_pseudonymise IS 'The one way in which a line of history changes: a candidate gets another name, in sessions over for longer than kept, and than 30 days.';
