-- Owner: execution-environment.
-- What a teardown that takes too long is waiting for, and that it was helped along once.
-- Rows that are there are looked at later, while others read and write them.
ALTER TABLE execution_environments
    ADD COLUMN cleanup_blocked    text,
    ADD COLUMN cleanup_blocked_at timestamptz,
    ADD COLUMN forced_at          timestamptz,
    ADD CONSTRAINT execution_environments_cleanup_blocked
        CHECK (cleanup_blocked IN ('node_lost')) NOT VALID,
    ADD CONSTRAINT execution_environments_blocked_is_whole
        CHECK ((cleanup_blocked IS NULL) = (cleanup_blocked_at IS NULL)) NOT VALID,
    ADD CONSTRAINT execution_environments_blocked_while_destroying
        CHECK (cleanup_blocked IS NULL OR state = 'destroying') NOT VALID;
COMMENT ON COLUMN execution_environments.cleanup_blocked IS 'What keeps its destruction from being confirmed, as last seen; NULL: nothing that is known.';
COMMENT ON COLUMN execution_environments.cleanup_blocked_at IS 'Since when.';
COMMENT ON COLUMN execution_environments.forced_at IS 'When it was deleted without grace, once, because its destruction hung.';

-- What an environment was asked for as tells whose it was. That gets another name as the session does, by one
-- function and never before 30 days.
CREATE OR REPLACE FUNCTION guard_execution_environment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'execution environment % cannot be deleted', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF current_setting('carrel.old_names_go', true) = 'on' AND OLD.gone_at < now() - interval '30 days'
       AND is_pseudonym(NEW.spec ->> 'user_id') AND NOT is_pseudonym(OLD.spec ->> 'user_id')
       AND NEW.spec - 'user_id' = OLD.spec - 'user_id' AND to_jsonb(NEW) - 'spec' = to_jsonb(OLD) - 'spec' THEN
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.session_id) IS DISTINCT FROM (OLD.id, OLD.session_id) THEN
        RAISE EXCEPTION 'identity of execution environment % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'gone' THEN
        RAISE EXCEPTION 'execution environment % is gone and never comes back', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT (CASE OLD.state
            WHEN 'absent'     THEN NEW.state IN ('creating', 'gone')
            WHEN 'creating'   THEN NEW.state IN ('up', 'destroying')
            WHEN 'up'         THEN NEW.state = 'destroying'
            WHEN 'destroying' THEN NEW.state = 'gone'
            ELSE false END) THEN
        RAISE EXCEPTION 'illegal change of execution environment %: % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.attempt < OLD.attempt OR NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'attempt and version of execution environment % only grow', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    -- Nothing blocks what is gone; a worker of the release before does not know these columns.
    IF NEW.state <> 'destroying' THEN
        NEW.cleanup_blocked := NULL;
        NEW.cleanup_blocked_at := NULL;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION execution_environments_pseudonymise(kept interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_names_go = 'on' AS $$
DECLARE
    renamed bigint;
BEGIN
    UPDATE execution_environments
       SET spec = jsonb_set(spec, '{user_id}', to_jsonb(pseudonym_of(spec ->> 'user_id', pseudonym_secret())))
     WHERE id = ANY (ARRAY(
        SELECT e.id FROM execution_environments e JOIN exam_sessions s ON s.id = e.session_id
         WHERE e.state = 'gone' AND NOT is_pseudonym(e.spec ->> 'user_id')
           AND e.gone_at < now() - greatest(kept, interval '30 days')
           AND s.ended_at < now() - greatest(kept, interval '30 days')
         ORDER BY e.gone_at LIMIT most FOR UPDATE OF e SKIP LOCKED));
    GET DIAGNOSTICS renamed = ROW_COUNT;
    RETURN renamed;
END $$;
COMMENT ON FUNCTION execution_environments_pseudonymise IS 'The one way in which what is gone changes: its user gets another name, in sessions over for longer than kept, and than 30 days.';
