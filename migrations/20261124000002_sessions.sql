-- Owner: session-lifecycle.
CREATE TABLE exam_sessions (
    id               uuid        CONSTRAINT exam_sessions_pk PRIMARY KEY,
    user_id          text        NOT NULL CONSTRAINT exam_sessions_user_shape CHECK (user_id ~ '^[A-Za-z0-9._@:+-]{1,128}$'),
    environment_id   uuid        NOT NULL CONSTRAINT exam_sessions_environment_unique UNIQUE,
    exam_name        text        NOT NULL,
    exam_version     integer     NOT NULL,
    state            text        NOT NULL DEFAULT 'created'
                     CONSTRAINT exam_sessions_state CHECK (state IN ('created', 'initializing', 'ready', 'running', 'terminated', 'failed')),
    version          bigint      NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now(),
    initializing_at  timestamptz,
    ready_at         timestamptz,
    running_at       timestamptz,
    ended_at         timestamptz,
    ready_by         timestamptz NOT NULL,
    duration         interval,
    ends_at          timestamptz,
    absolute_end     timestamptz NOT NULL,
    ending_kind      text        CONSTRAINT exam_sessions_ending_kind
                     CHECK (ending_kind IN ('completed', 'time_expired', 'candidate_ended', 'operator_ended', 'no_show')),
    ending_actor     text,
    ending_note      text,
    failure_class    text        CONSTRAINT exam_sessions_failure_class CHECK (failure_class IN ('init', 'runtime', 'access', 'infra')),
    failure_code     text,
    failure_reason   text,
    failure_evidence jsonb,
    CONSTRAINT exam_sessions_exam_fk FOREIGN KEY (exam_name, exam_version) REFERENCES exams (name, version),
    CONSTRAINT exam_sessions_terminated_has_ending CHECK ((state = 'terminated') = (ending_kind IS NOT NULL)),
    CONSTRAINT exam_sessions_failed_has_code CHECK ((state = 'failed') = (failure_code IS NOT NULL)),
    CONSTRAINT exam_sessions_end_is_stamped CHECK ((state IN ('terminated', 'failed')) = (ended_at IS NOT NULL)),
    CONSTRAINT exam_sessions_end_within_cap CHECK (ends_at IS NULL OR ends_at <= absolute_end)
) WITH (fillfactor = 80);
COMMENT ON TABLE exam_sessions IS 'One candidate''s exam. The row is the only truth about its state.';
COMMENT ON COLUMN exam_sessions.version IS 'Grows by one with every change of the row; the compare-and-set token.';
COMMENT ON COLUMN exam_sessions.ready_by IS 'Startup budget: past it the session cannot become ready any more.';
COMMENT ON COLUMN exam_sessions.duration IS 'Set when the clock starts with the first attach; null for a fixed window, whose ends_at is set from the start.';
COMMENT ON COLUMN exam_sessions.absolute_end IS 'No extension passes this moment.';

-- One live session per candidate and exam: a repeated request finds the first one.
CREATE UNIQUE INDEX exam_sessions_one_live ON exam_sessions (user_id, exam_name)
    WHERE state NOT IN ('terminated', 'failed');
-- The expiry sweep reads due rows only, in order.
CREATE INDEX exam_sessions_due ON exam_sessions (ends_at) WHERE state NOT IN ('terminated', 'failed') AND ends_at IS NOT NULL;
CREATE INDEX exam_sessions_cap ON exam_sessions (absolute_end) WHERE state NOT IN ('terminated', 'failed');
CREATE INDEX exam_sessions_startup ON exam_sessions (ready_by) WHERE state IN ('created', 'initializing');

CREATE TABLE session_transitions (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT session_transitions_pk PRIMARY KEY,
    session_id uuid        NOT NULL CONSTRAINT session_transitions_session_fk REFERENCES exam_sessions (id),
    version    bigint      NOT NULL,
    from_state text,
    to_state   text        NOT NULL,
    cause      text        NOT NULL,
    actor      text        NOT NULL,
    job_id     uuid,
    trace      text,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT session_transitions_once UNIQUE (session_id, version)
);
COMMENT ON TABLE session_transitions IS 'Every transition ever made, appended in the transaction that made it. Never altered.';

CREATE TABLE session_extensions (
    id              bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT session_extensions_pk PRIMARY KEY,
    session_id      uuid        NOT NULL CONSTRAINT session_extensions_session_fk REFERENCES exam_sessions (id),
    version         bigint      NOT NULL,
    by_seconds      integer     NOT NULL CONSTRAINT session_extensions_positive CHECK (by_seconds > 0),
    previous_end    timestamptz NOT NULL,
    new_end         timestamptz NOT NULL,
    actor           text        NOT NULL,
    reason          text        NOT NULL,
    idempotency_key text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT session_extensions_key UNIQUE (session_id, idempotency_key)
);
COMMENT ON TABLE session_extensions IS 'Every deadline that was moved, by whom and why.';

CREATE TABLE idempotency_keys (
    principal    text        NOT NULL,
    key          text        NOT NULL CONSTRAINT idempotency_keys_length CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea       NOT NULL,
    session_id   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pk PRIMARY KEY (principal, key)
);
COMMENT ON TABLE idempotency_keys IS 'Which write each caller''s Idempotency-Key stood for; the same key with another request is a conflict.';

-- The same table as TRANSITIONS in session-lifecycle; a contract test holds the two equal.
CREATE FUNCTION session_transition_allowed(from_state text, to_state text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    CASE from_state
        WHEN 'created'      THEN to_state IN ('initializing', 'terminated', 'failed')
        WHEN 'initializing' THEN to_state IN ('ready', 'terminated', 'failed')
        WHEN 'ready'        THEN to_state IN ('running', 'terminated', 'failed')
        WHEN 'running'      THEN to_state IN ('terminated', 'failed')
        ELSE false
    END;

CREATE FUNCTION guard_exam_session() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER exam_sessions_guard BEFORE INSERT OR UPDATE OR DELETE ON exam_sessions
    FOR EACH ROW EXECUTE FUNCTION guard_exam_session();

CREATE FUNCTION forbid_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER session_transitions_append_only BEFORE UPDATE OR DELETE ON session_transitions
    FOR EACH ROW EXECUTE FUNCTION forbid_history_change();
CREATE TRIGGER session_extensions_append_only BEFORE UPDATE OR DELETE ON session_extensions
    FOR EACH ROW EXECUTE FUNCTION forbid_history_change();
-- Row triggers do not see TRUNCATE.
CREATE TRIGGER session_transitions_no_truncate BEFORE TRUNCATE ON session_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();
CREATE TRIGGER session_extensions_no_truncate BEFORE TRUNCATE ON session_extensions
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_history_change();

-- A hint, never a truth: listeners read the row they are told about. Only on a change of
-- state or deadline, since a committing NOTIFY takes a lock that all committers share.
CREATE FUNCTION hint_session_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('carrel_sessions', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER exam_sessions_hint AFTER UPDATE OF version ON exam_sessions
    FOR EACH ROW EXECUTE FUNCTION hint_session_change();
