-- Owner: session-lifecycle.
-- A line of history that nobody lived through is as bad as one that was changed. Deferred, because
-- the line and the row it tells of are written by one statement.
CREATE FUNCTION prove_session_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text;
    after  text;
    now_at record;
BEGIN
    SELECT state, version INTO now_at FROM exam_sessions WHERE id = NEW.session_id;
    SELECT to_state INTO before FROM session_transitions
        WHERE session_id = NEW.session_id AND version < NEW.version ORDER BY version DESC LIMIT 1;
    SELECT from_state INTO after FROM session_transitions
        WHERE session_id = NEW.session_id AND version > NEW.version ORDER BY version LIMIT 1;
    IF NEW.version > now_at.version
        OR NOT (CASE WHEN NEW.from_state IS NULL THEN NEW.to_state = 'created'
                     ELSE session_transition_allowed(NEW.from_state, NEW.to_state) END)
        OR NEW.from_state IS DISTINCT FROM coalesce(before, NEW.from_state)
        OR NEW.to_state <> coalesce(after, now_at.state) THEN
        RAISE EXCEPTION 'history of exam session % did not go from % to % at version %',
            NEW.session_id, NEW.from_state, NEW.to_state, NEW.version USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER session_transitions_proof AFTER INSERT ON session_transitions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION prove_session_transition();

CREATE FUNCTION prove_session_extension() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before timestamptz;
    after  timestamptz;
    now_at record;
BEGIN
    SELECT ends_at, version INTO now_at FROM exam_sessions WHERE id = NEW.session_id;
    SELECT previous_end INTO after FROM session_extensions
        WHERE session_id = NEW.session_id AND version > NEW.version ORDER BY version LIMIT 1;
    SELECT new_end INTO before FROM session_extensions
        WHERE session_id = NEW.session_id AND version < NEW.version ORDER BY version DESC LIMIT 1;
    -- Each version of the row is one change: what was a transition, or another extension, was not this.
    IF NEW.version > now_at.version
        OR NEW.new_end <> NEW.previous_end + make_interval(secs => NEW.by_seconds)
        OR NEW.previous_end IS DISTINCT FROM coalesce(before, NEW.previous_end)
        OR NEW.new_end IS DISTINCT FROM coalesce(after, now_at.ends_at)
        OR EXISTS (SELECT FROM session_transitions
                   WHERE session_id = NEW.session_id AND version = NEW.version)
        OR EXISTS (SELECT FROM session_extensions
                   WHERE session_id = NEW.session_id AND version = NEW.version AND id <> NEW.id) THEN
        RAISE EXCEPTION 'exam session % was not extended to % at version %',
            NEW.session_id, NEW.new_end, NEW.version USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER session_extensions_proof AFTER INSERT ON session_extensions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION prove_session_extension();
