-- Sealed content and keys have no place in schema 1. They are kept under other names.
CREATE TABLE down_2 (n INTEGER);
DROP INDEX events_tenant;
DROP INDEX events_exchange;
DROP INDEX events_acts;
ALTER TABLE events DROP COLUMN kind;
ALTER TABLE events DROP COLUMN exchange;
ALTER TABLE events DROP COLUMN key;
DROP INDEX keys_live;
ALTER TABLE keys RENAME TO kept_keys;
DROP INDEX sealed_event;
DROP INDEX sealed_exchange;
DROP INDEX sealed_key;
ALTER TABLE sealed RENAME TO kept_sealed;
