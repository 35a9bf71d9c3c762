-- Owner: environment-access.
-- Lines are kept for long, not for ever. They go by one function, which the table's trigger knows by a
-- setting of its own, and whoever makes that setting: what is younger than 30 days stays.
CREATE INDEX access_log_age ON access_log (at);

CREATE FUNCTION guard_access_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('carrel.old_access_goes', true) = 'on'
       AND OLD.at < now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER access_log_append_only ON access_log;
CREATE TRIGGER access_log_append_only BEFORE UPDATE OR DELETE ON access_log
    FOR EACH ROW EXECUTE FUNCTION guard_access_log();

CREATE FUNCTION access_log_delete_old(kept interval, most bigint) RETURNS bigint
    LANGUAGE plpgsql SET carrel.old_access_goes = 'on' AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM access_log WHERE id = ANY (ARRAY(
        SELECT id FROM access_log WHERE at < now() - greatest(kept, interval '30 days')
        ORDER BY at LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;
COMMENT ON FUNCTION access_log_delete_old IS 'The one way in which lines of the access log go: those older than kept, and than 30 days, oldest first.';
COMMENT ON TABLE access_log IS 'Who was admitted or denied, and the true reason; kept for as long as carrel-worker is told. session_id has no foreign key: denials name ids that do not exist.';
