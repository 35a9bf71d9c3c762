-- Owner: execution-environment.
-- What execution_environments_pseudonymise still has to do, oldest first.
CREATE INDEX execution_environments_named ON execution_environments (gone_at)
    WHERE state = 'gone' AND NOT is_pseudonym(spec ->> 'user_id');
