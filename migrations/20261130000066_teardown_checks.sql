-- Owner: execution-environment.
-- Reads every row and keeps nobody from reading or writing one.
ALTER TABLE execution_environments
    VALIDATE CONSTRAINT execution_environments_cleanup_blocked,
    VALIDATE CONSTRAINT execution_environments_blocked_is_whole,
    VALIDATE CONSTRAINT execution_environments_blocked_while_destroying;
