-- Owner: environment-access.
-- A candidate's lines get another name as their sessions do, by one function and never before 30 days. Who
-- works for the exam stays who they were.
CREATE OR REPLACE FUNCTION guard_access_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('carrel.old_access_goes', true) = 'on'
       AND OLD.at < now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND current_setting('carrel.old_names_go', true) = 'on'
       AND OLD.at < now() - interval '30 days' AND OLD.role = 'candidate'
       AND is_pseudonym(NEW.user_id) AND NOT is_pseudonym(OLD.user_id)
       AND to_jsonb(NEW) - 'user_id' = to_jsonb(OLD) - 'user_id' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION access_log_pseudonymise(kept interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_names_go = 'on' AS $$
DECLARE
    renamed bigint;
BEGIN
    UPDATE access_log SET user_id = pseudonym_of(user_id, pseudonym_secret())
     WHERE id = ANY (ARRAY(
        SELECT id FROM access_log
         WHERE role = 'candidate' AND NOT is_pseudonym(user_id)
           AND at < now() - greatest(kept, interval '30 days')
         ORDER BY at LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS renamed = ROW_COUNT;
    RETURN renamed;
END $$;
COMMENT ON FUNCTION access_log_pseudonymise IS 'The one way in which a line of the access log changes: a candidate gets another name, in lines older than kept, and than 30 days, oldest first.';
