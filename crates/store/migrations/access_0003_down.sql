-- A program of schema 2 knows neither: calls that wait stay unanswered there, and no value is endorsed.
CREATE TABLE down_3 (n INTEGER);
DROP INDEX approvals_of;
ALTER TABLE approvals RENAME TO kept_approvals;
ALTER TABLE endorsed RENAME TO kept_endorsed;
