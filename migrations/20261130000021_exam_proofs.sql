-- Owner: execution-environment.
-- What a trial of a version proved. It is evidence about the version and no part of it: newer evidence may take its place.
ALTER TABLE exams
    ADD COLUMN proven_at       timestamptz,
    ADD COLUMN proof           jsonb,
    ADD COLUMN unproven_reason text,
    ADD CONSTRAINT exams_proof_is_whole CHECK ((proven_at IS NULL) = (proof IS NULL)),
    ADD CONSTRAINT exams_unproven_reason_length CHECK (length(unproven_reason) BETWEEN 1 AND 500);
COMMENT ON COLUMN exams.proven_at IS 'When an environment of this version was last made on trial and its isolation proven; NULL: never.';
COMMENT ON COLUMN exams.proof IS 'The runtime, the image that ran and the evidence of that trial.';
COMMENT ON COLUMN exams.unproven_reason IS 'Why who applied it stored it without a trial; NULL: there was one, or the version is older than trials.';

CREATE OR REPLACE FUNCTION forbid_exam_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.proven_at IS NOT NULL
       AND (NEW.name, NEW.version, NEW.title, NEW.definition, NEW.digest, NEW.applied_by, NEW.applied_at, NEW.unproven_reason)
           IS NOT DISTINCT FROM
           (OLD.name, OLD.version, OLD.title, OLD.definition, OLD.digest, OLD.applied_by, OLD.applied_at, OLD.unproven_reason) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'exam % v% is immutable; apply a new version', OLD.name, OLD.version
        USING ERRCODE = 'restrict_violation';
END $$;
