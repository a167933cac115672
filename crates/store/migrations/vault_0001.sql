-- What pseudonyms stand for, sealed. `conversation` is a keyed digest, `name` a type with a label that says nothing.
CREATE TABLE pseudonyms (
    tenant TEXT NOT NULL,
    conversation TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (tenant, conversation, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX pseudonyms_expires ON pseudonyms (expires);
