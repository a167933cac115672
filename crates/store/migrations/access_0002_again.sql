INSERT INTO containments
    SELECT id, tenant, target, name, reason, actor, since, until, released FROM kept_containments;
DROP TABLE kept_containments;
INSERT INTO once SELECT mark FROM kept_once;
DROP TABLE kept_once;
DROP TABLE down_2;
