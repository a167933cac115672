-- Tool calls that wait for a person. What is expired is taken away by the next one that is asked for.
CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    event TEXT NOT NULL,
    call TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    asked INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE INDEX approvals_of ON approvals (tenant, key, expires);

-- Values that a person has endorsed for an argument of a tool, as keyed digests.
CREATE TABLE endorsed (
    tenant TEXT NOT NULL,
    digest TEXT NOT NULL,
    actor TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (tenant, digest)
) STRICT, WITHOUT ROWID;
