-- Owner: session-lifecycle.
-- The no-show sweep reads sessions that wait for their candidate, the longest first.
CREATE INDEX exam_sessions_ready ON exam_sessions (ready_at) WHERE state = 'ready';

-- Whose session it was need not be known for ever. What has been over for long is given another name, by one
-- function, which the table's trigger knows by a setting of its own: never before 30 days.
CREATE FUNCTION pseudonym_of(user_id text, secret text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
    -- Hashed twice with the secret, so that nobody can go on from one hash to another.
    'pseudonym:' || left(encode(sha256(convert_to(
        secret || encode(sha256(convert_to(secret || user_id, 'UTF8')), 'hex'), 'UTF8')), 'hex'), 32);
COMMENT ON FUNCTION pseudonym_of IS 'The name that a user has once their sessions have been over for long: a hash under a secret that the database does not keep.';

CREATE FUNCTION is_pseudonym(user_id text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN user_id ~ '^pseudonym:[0-9a-f]{32}$';

-- What the function below still has to do, oldest first.
CREATE INDEX exam_sessions_named ON exam_sessions (ended_at) WHERE ended_at IS NOT NULL AND NOT is_pseudonym(user_id);

CREATE OR REPLACE FUNCTION guard_exam_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'exam session % cannot be deleted', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'created' OR NEW.version <> 1 THEN
            RAISE EXCEPTION 'exam session % must begin as created, version 1', NEW.id USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF current_setting('carrel.old_names_go', true) = 'on' AND OLD.ended_at < now() - interval '30 days'
       AND is_pseudonym(NEW.user_id) AND NOT is_pseudonym(OLD.user_id)
       AND to_jsonb(NEW) - ARRAY['user_id', 'ending_actor', 'ending_note', 'failure_reason']
           = to_jsonb(OLD) - ARRAY['user_id', 'ending_actor', 'ending_note', 'failure_reason'] THEN
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.user_id, NEW.environment_id, NEW.exam_name, NEW.exam_version, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.environment_id, OLD.exam_name, OLD.exam_version, OLD.created_at) THEN
        RAISE EXCEPTION 'identity of exam session % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('terminated', 'failed') THEN
        RAISE EXCEPTION 'exam session % is final (%)', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT session_transition_allowed(OLD.state, NEW.state) THEN
        RAISE EXCEPTION 'illegal transition of exam session %: % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'exam session % must grow by one version', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION exam_sessions_pseudonymise(kept interval, secret text, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_names_go = 'on' AS $$
DECLARE
    renamed bigint;
BEGIN
    UPDATE exam_sessions
       SET user_id = pseudonym_of(user_id, secret),
           ending_actor = CASE ending_actor WHEN 'candidate:' || user_id
                          THEN 'candidate:' || pseudonym_of(user_id, secret) ELSE ending_actor END,
           -- Whoever wrote a word about the candidate wrote it to be read by name.
           ending_note = CASE WHEN strpos(ending_note, user_id) > 0 THEN NULL ELSE ending_note END,
           failure_reason = CASE WHEN strpos(failure_reason, user_id) > 0 THEN 'named the candidate' ELSE failure_reason END
     WHERE id = ANY (ARRAY(
        SELECT id FROM exam_sessions
         WHERE ended_at < now() - greatest(kept, interval '30 days') AND NOT is_pseudonym(user_id)
         ORDER BY ended_at LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS renamed = ROW_COUNT;
    RETURN renamed;
END $$;
COMMENT ON FUNCTION exam_sessions_pseudonymise IS 'The one way in which a session gets another user_id: those over for longer than kept, and than 30 days, oldest first.';
