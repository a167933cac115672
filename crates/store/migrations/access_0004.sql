-- What is known of how each key is used: sketches and counts, no content. Rewritten while the gateway runs.
CREATE TABLE watched (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT;

CREATE INDEX watched_at ON watched (at);
