-- Nothing is cut off any more, or the way back is blocked; what was is kept, and so are the deeds recorded once.
CREATE TABLE down_2 (n INTEGER);
DROP INDEX containments_open;
ALTER TABLE containments RENAME TO kept_containments;
ALTER TABLE once RENAME TO kept_once;
ALTER TABLE installation DROP COLUMN contain_revision;
