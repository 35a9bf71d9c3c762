-- Owner: environment-access.
-- What access_log_pseudonymise still has to do, oldest first.
CREATE INDEX access_log_named ON access_log (at) WHERE role = 'candidate' AND NOT is_pseudonym(user_id);
