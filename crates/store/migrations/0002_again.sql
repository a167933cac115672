INSERT INTO keys SELECT id, tenant, purpose, day, wrapped, destroyed FROM kept_keys;
DROP TABLE kept_keys;
INSERT INTO sealed
    SELECT event, exchange, tenant, direction, protocol, stream, cut, time, key, nonce, body FROM kept_sealed;
DROP TABLE kept_sealed;
DROP TABLE down_2;
