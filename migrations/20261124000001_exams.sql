-- Owner: execution-environment.
-- What an exam needs, immutable per version: a session pins one version for its whole life.
CREATE TABLE installation (
    only_row   boolean     CONSTRAINT installation_pk PRIMARY KEY DEFAULT true
                           CONSTRAINT installation_one_row CHECK (only_row),
    install_id uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE installation IS
    'Names this database. Environments carry it as a label, so a restored or foreign database never takes them for its own.';
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE exams (
    name       text        NOT NULL CONSTRAINT exams_name_shape CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    version    integer     NOT NULL CONSTRAINT exams_version_positive CHECK (version > 0),
    title      text        NOT NULL,
    definition jsonb       NOT NULL,
    digest     bytea       NOT NULL,
    applied_by text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT exams_pk PRIMARY KEY (name, version)
);
COMMENT ON TABLE exams IS 'Exam definitions; a new definition is a new version, a version never changes.';
COMMENT ON COLUMN exams.digest IS 'SHA-256 of the canonical definition: applying the same definition again adds no version.';

CREATE FUNCTION forbid_exam_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'exam % v% is immutable; apply a new version', OLD.name, OLD.version
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER exams_immutable BEFORE UPDATE OR DELETE ON exams
    FOR EACH ROW EXECUTE FUNCTION forbid_exam_change();
