-- Everything of an installation in one schema of one database. Text is compared byte by byte, as everywhere else.
CREATE TABLE chain (
    id TEXT NOT NULL
);

-- `body` is what the hash covers, byte for byte. The other columns repeat parts of it for queries; verification
-- checks that they agree. Not partitioned: only an index over all of it keeps positions unique.
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL,
    time TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    rules TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    exchange TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL
);

CREATE INDEX events_id ON events (id);
CREATE INDEX events_fired ON events (seq) WHERE rules <> '';
CREATE INDEX events_tenant ON events (tenant, seq, time);
CREATE INDEX events_exchange ON events (exchange) WHERE exchange <> '';
CREATE INDEX events_acts ON events (action, seq) WHERE kind = 'act';

-- Tenants' keys, wrapped by a key that is not here. A destroyed one stays as a mark, without the key.
CREATE TABLE wrapped_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    wrapped BYTEA NOT NULL,
    destroyed TEXT COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX wrapped_keys_live ON wrapped_keys (tenant, purpose, day) WHERE destroyed = '';

CREATE TABLE sealed (
    event TEXT COLLATE "C" NOT NULL,
    exchange TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    direction TEXT COLLATE "C" NOT NULL,
    protocol TEXT COLLATE "C" NOT NULL,
    stream BIGINT NOT NULL,
    cut BIGINT NOT NULL,
    time TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    nonce BYTEA NOT NULL,
    body BYTEA NOT NULL
);

CREATE UNIQUE INDEX sealed_event ON sealed (event, direction);
CREATE INDEX sealed_exchange ON sealed (tenant, exchange);
CREATE INDEX sealed_key ON sealed (key);

-- `revision` grows with each change of a client key, `contain_revision` with each of a containment. `hash_key` is what
-- client keys are hashed with.
CREATE TABLE installation (
    revision BIGINT NOT NULL,
    contain_revision BIGINT NOT NULL,
    hash_key BYTEA NOT NULL
);

CREATE TABLE keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    previous BYTEA,
    previous_until BIGINT,
    "grant" TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT
);

CREATE UNIQUE INDEX keys_name ON keys (tenant, name) WHERE revoked IS NULL;

CREATE TABLE usage (
    tenant TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    session TEXT COLLATE "C" NOT NULL,
    feature TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    requests BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    spend BIGINT NOT NULL,
    PRIMARY KEY (tenant, day, key, model, "user", session, feature, team)
);

CREATE INDEX usage_day ON usage (day);

CREATE TABLE containments (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    released BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX containments_open ON containments (tenant, since) WHERE released = 0;

-- Deeds that are recorded once.
CREATE TABLE once (
    mark TEXT COLLATE "C" PRIMARY KEY
);

CREATE TABLE approvals (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    route TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    call TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    asked BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    decided_by TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL
);

CREATE INDEX approvals_of ON approvals (tenant, key, expires);

CREATE TABLE endorsed (
    tenant TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (tenant, digest)
);

CREATE TABLE watched (
    tenant TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (tenant, key)
);

CREATE INDEX watched_at ON watched (at);

CREATE TABLE pseudonyms (
    tenant TEXT COLLATE "C" NOT NULL,
    conversation TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (tenant, conversation, name)
);

CREATE INDEX pseudonyms_expires ON pseudonyms (expires);

-- Each transaction says whose rows it is about: a tenant's, or `*` for the installation's, which is no tenant's name. One
-- that says nothing sees and changes nothing. The owner of the tables is bound by this as well.
DO $$
DECLARE
    one TEXT;
BEGIN
    FOREACH one IN ARRAY ARRAY['events', 'wrapped_keys', 'sealed', 'keys', 'usage', 'containments', 'approvals', 'endorsed',
                               'watched', 'pseudonyms'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', one);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', one);
        EXECUTE format(
            'CREATE POLICY tenant ON %I USING ((SELECT current_setting(''bartizan.tenant'', true)) IN (tenant, ''*''))', one);
    END LOOP;
END
$$;
