-- Owner: execution-environment.
CREATE TABLE environment_actions (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT environment_actions_pk PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    session_id uuid        NOT NULL CONSTRAINT environment_actions_environment_fk
                           REFERENCES execution_environments (session_id),
    verb       text        NOT NULL CONSTRAINT environment_actions_verb
                           CHECK (verb IN ('environment.create', 'environment.destroy')),
    actor      text        NOT NULL,
    reason     text        CONSTRAINT environment_actions_reason_length CHECK (length(reason) BETWEEN 1 AND 500),
    detail     jsonb       NOT NULL
);
COMMENT ON TABLE environment_actions IS 'What people did to environments by hand and why, written before the runtime is asked. Never altered.';
-- What people did, newest first; also to one session.
CREATE INDEX environment_actions_by_time ON environment_actions (at, id);
CREATE INDEX environment_actions_session ON environment_actions (session_id, at, id);

CREATE TRIGGER environment_actions_append_only BEFORE UPDATE OR DELETE ON environment_actions
    FOR EACH ROW EXECUTE FUNCTION forbid_history_change();
-- Row triggers do not see TRUNCATE.
CREATE TRIGGER environment_actions_no_truncate BEFORE TRUNCATE ON environment_actions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();
