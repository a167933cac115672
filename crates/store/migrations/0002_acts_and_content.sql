-- Records are decisions or acts. `exchange` and `key` repeat parts of `body` like the other columns.
ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'decision';
ALTER TABLE events ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE events SET exchange = json_extract(body, '$.exchange'), key = json_extract(body, '$.key') WHERE json_valid(body);

CREATE INDEX events_tenant ON events (tenant, seq, time);
CREATE INDEX events_exchange ON events (exchange) WHERE exchange <> '';
-- The `action` of an act is its deed.
CREATE INDEX events_acts ON events (action, seq) WHERE kind = 'act';

-- Tenants' keys, wrapped by a key that is not here. A destroyed one stays as a mark, without the key.
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    purpose TEXT NOT NULL,
    day TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    destroyed TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX keys_live ON keys (tenant, purpose, day) WHERE destroyed = '';

CREATE TABLE sealed (
    event TEXT NOT NULL,
    exchange TEXT NOT NULL,
    tenant TEXT NOT NULL,
    direction TEXT NOT NULL,
    protocol TEXT NOT NULL,
    stream INTEGER NOT NULL,
    cut INTEGER NOT NULL,
    time TEXT NOT NULL,
    key TEXT NOT NULL,
    nonce BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX sealed_event ON sealed (event, direction);
CREATE INDEX sealed_exchange ON sealed (tenant, exchange);
CREATE INDEX sealed_key ON sealed (key);
