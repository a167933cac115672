-- A program of schema 3 watches no keys.
CREATE TABLE down_4 (n INTEGER);
DROP INDEX watched_at;
ALTER TABLE watched RENAME TO kept_watched;
