-- What is cut off, until its time is over or it is released.
CREATE TABLE containments (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX containments_open ON containments (tenant, since) WHERE released = 0;

-- Deeds that are recorded once.
CREATE TABLE once (
    mark TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Grows with each change of a containment.
ALTER TABLE installation ADD COLUMN contain_revision INTEGER NOT NULL DEFAULT 0;
