-- Owner: session-lifecycle.
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

CREATE FUNCTION pseudonym_secret() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    secret text := current_setting('carrel.pseudonym_secret', true);
BEGIN
    IF secret IS NULL OR length(secret) < 32 THEN
        RAISE EXCEPTION 'carrel.pseudonym_secret needs 32 characters' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN secret;
END $$;
COMMENT ON FUNCTION pseudonym_secret IS 'A setting of the transaction, so that no statement that may be slow, and be logged for it, has it for a parameter.';

CREATE FUNCTION is_named_in(user_id text, words text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    -- Between anything but letters and digits: user 1 is not named in 137, and candidate:1 names them.
    words ~ ('(^|[^A-Za-z0-9])' || regexp_replace(user_id, '([^A-Za-z0-9])', '\\\1', 'g') || '($|[^A-Za-z0-9])');

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

CREATE FUNCTION exam_sessions_pseudonymise(kept interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_names_go = 'on' AS $$
DECLARE
    renamed bigint;
BEGIN
    UPDATE exam_sessions
       SET user_id = pseudonym_of(user_id, pseudonym_secret()),
           ending_actor = CASE ending_actor WHEN 'candidate:' || user_id
                          THEN 'candidate:' || pseudonym_of(user_id, pseudonym_secret()) ELSE ending_actor END,
           -- Whoever wrote a word about the candidate wrote it to be read by name.
           ending_note = CASE WHEN is_named_in(user_id, ending_note) THEN NULL ELSE ending_note END,
           failure_reason = CASE WHEN is_named_in(user_id, failure_reason) THEN 'named the candidate' ELSE failure_reason END
     WHERE id = ANY (ARRAY(
        SELECT id FROM exam_sessions
         WHERE ended_at < now() - greatest(kept, interval '30 days') AND NOT is_pseudonym(user_id)
         ORDER BY ended_at LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS renamed = ROW_COUNT;
    RETURN renamed;
END $$;
COMMENT ON FUNCTION exam_sessions_pseudonymise IS 'The one way in which a session gets another user_id: those over for longer than kept, and than 30 days, oldest first.';
