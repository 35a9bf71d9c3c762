-- Owner: environment-access.
-- Evidence is not edited. Nothing ever removes lines: they outlive their sessions.
CREATE TRIGGER access_log_append_only BEFORE UPDATE OR DELETE ON access_log
    FOR EACH ROW EXECUTE FUNCTION forbid_history_change();
-- Row triggers do not see TRUNCATE.
CREATE TRIGGER access_log_no_truncate BEFORE TRUNCATE ON access_log
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();
