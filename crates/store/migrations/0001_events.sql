CREATE TABLE chain (
    id TEXT NOT NULL
) STRICT;

-- `body` is what the hash covers, byte for byte. The other columns repeat parts of it for queries; verification
-- checks that they agree.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    time TEXT NOT NULL,
    tenant TEXT NOT NULL,
    verdict TEXT NOT NULL,
    action TEXT NOT NULL,
    rules TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX events_id ON events (id);
CREATE INDEX events_fired ON events (seq) WHERE rules <> '';
