INSERT INTO approvals
    SELECT id, tenant, key, route, event, call, digest, state, asked, expires, decided_by, sealed FROM kept_approvals;
DROP TABLE kept_approvals;
INSERT INTO endorsed SELECT tenant, digest, actor, since FROM kept_endorsed;
DROP TABLE kept_endorsed;
DROP TABLE down_3;
