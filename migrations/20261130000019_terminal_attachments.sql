-- Owner: environment-access.
CREATE TABLE terminal_attachments (
    session_id    uuid        NOT NULL CONSTRAINT terminal_attachments_session_fk REFERENCES exam_sessions (id),
    epoch         bigint      NOT NULL,
    process_id    uuid        NOT NULL,
    login_id      text        NOT NULL,
    attached_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the shell answered: until then the candidate looked at a blank screen.
    opened_at     timestamptz,
    seen_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Without a close code it is presumed: nothing was heard of the process since.
    detached_at   timestamptz,
    close_code    integer,
    CONSTRAINT terminal_attachments_pk PRIMARY KEY (session_id, epoch),
    CONSTRAINT terminal_attachments_closed CHECK (close_code IS NULL OR detached_at IS NOT NULL)
);
COMMENT ON TABLE terminal_attachments IS 'Every attach to a session''s terminal, one row an epoch: the evidence of when a candidate had a shell, and why not.';
CREATE INDEX terminal_attachments_open ON terminal_attachments (seen_at) WHERE detached_at IS NULL;

INSERT INTO terminal_attachments
    (session_id, epoch, process_id, login_id, attached_at, opened_at, seen_at, detached_at, close_code)
SELECT session_id, epoch, process_id, login_id, attached_at, attached_at, seen_at, detached_at, close_code
FROM terminals
WHERE process_id IS NOT NULL AND login_id IS NOT NULL AND attached_at IS NOT NULL AND seen_at IS NOT NULL;

-- The counter stays. What else terminals says of the newest attach was for the previous release.
COMMENT ON TABLE terminals IS 'The one terminal of a session: how often it was attached to. Only the newest epoch may write.';
