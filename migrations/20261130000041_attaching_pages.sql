-- Owner: environment-access.
-- A page that comes back by itself must not take the terminal from another one; an attach of its own that it never learned of is none.
ALTER TABLE terminal_attachments ADD COLUMN page_id uuid;
COMMENT ON COLUMN terminal_attachments.page_id IS 'Which page attached, by a number that it drew when it was loaded; NULL: an older page or process.';
