-- Owner: execution-environment.
CREATE TABLE isolation_waivers (
    id         uuid        CONSTRAINT isolation_waivers_pk PRIMARY KEY,
    protection text        NOT NULL CONSTRAINT isolation_waivers_protection CHECK (protection = 'no_network'),
    reason     text        NOT NULL CONSTRAINT isolation_waivers_reason_length CHECK (length(reason) BETWEEN 1 AND 500),
    granted_by text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    CONSTRAINT isolation_waivers_end CHECK (expires_at > granted_at AND expires_at <= granted_at + interval '8784 hours'),
    CONSTRAINT isolation_waivers_revocation_is_whole CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
COMMENT ON TABLE isolation_waivers IS 'Who decided, why and until when, that a protection need not be proven. Its own audit trail: rows are never changed but by one revocation.';
COMMENT ON COLUMN isolation_waivers.protection IS 'Only the network: some clusters cannot enforce its isolation, while anything else missing is a fault of the environment.';

CREATE FUNCTION guard_isolation_waiver() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'isolation waiver % cannot be deleted', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.revoked_at IS NOT NULL
       OR (NEW.id, NEW.protection, NEW.reason, NEW.granted_by, NEW.granted_at, NEW.expires_at)
          IS DISTINCT FROM (OLD.id, OLD.protection, OLD.reason, OLD.granted_by, OLD.granted_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'isolation waiver % can only be revoked, once', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER isolation_waivers_guard BEFORE UPDATE OR DELETE ON isolation_waivers
    FOR EACH ROW EXECUTE FUNCTION guard_isolation_waiver();
