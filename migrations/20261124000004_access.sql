-- Owner: environment-access.
CREATE TABLE terminal_tickets (
    secret_hash bytea       CONSTRAINT terminal_tickets_pk PRIMARY KEY,
    session_id  uuid        NOT NULL CONSTRAINT terminal_tickets_session_fk REFERENCES exam_sessions (id),
    user_id     text        NOT NULL,
    login_id    text        NOT NULL,
    origin      text        NOT NULL,
    issued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz
);
COMMENT ON TABLE terminal_tickets IS 'Single-use permissions to attach, stored hashed, bound to user, session, login and origin.';
CREATE INDEX terminal_tickets_session ON terminal_tickets (session_id, issued_at);
-- The limit of tickets a user may take in a minute.
CREATE INDEX terminal_tickets_user ON terminal_tickets (user_id, issued_at);

CREATE TABLE terminals (
    session_id    uuid        CONSTRAINT terminals_pk PRIMARY KEY
                              CONSTRAINT terminals_session_fk REFERENCES exam_sessions (id),
    epoch         bigint      NOT NULL DEFAULT 0,
    process_id    uuid,
    login_id      text,
    attached_at   timestamptz,
    seen_at       timestamptz,
    detached_at   timestamptz,
    close_code    integer
);
COMMENT ON TABLE terminals IS 'The one terminal of a session. Every attach takes the next epoch; only the newest may write.';

CREATE TABLE access_log (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT access_log_pk PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    session_id uuid        NOT NULL,
    user_id    text        NOT NULL,
    role       text        NOT NULL,
    action     text        NOT NULL,
    allowed    boolean     NOT NULL,
    code       text,
    detail     text,
    epoch      bigint
);
COMMENT ON TABLE access_log IS 'Who was admitted or denied, and the true reason. session_id has no foreign key: denials name ids that do not exist.';
CREATE INDEX access_log_session ON access_log (session_id, id);

-- The terminal process is told at once that an older attach has been superseded.
CREATE FUNCTION hint_terminal_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('carrel_sessions', NEW.session_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER terminals_epoch_hint AFTER UPDATE OF epoch ON terminals
    FOR EACH ROW WHEN (OLD.epoch > 0 AND NEW.epoch <> OLD.epoch) EXECUTE FUNCTION hint_terminal_epoch();
