-- `revision` grows with each change of a key. `hash_key` is what keys are hashed with.
CREATE TABLE installation (
    revision INTEGER NOT NULL,
    hash_key BLOB NOT NULL
) STRICT;

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    previous BLOB,
    previous_until INTEGER,
    "grant" TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;

CREATE UNIQUE INDEX keys_name ON keys (tenant, name) WHERE revoked IS NULL;

-- Records of deeds on their way to the chain: the chain has one writer, and keys are changed by any process.
CREATE TABLE acts (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE usage (
    tenant TEXT NOT NULL,
    day INTEGER NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    feature TEXT NOT NULL,
    team TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    spend INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, key, model, user, session, feature, team)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_day ON usage (day);
