INSERT INTO watched SELECT tenant, key, at, state FROM kept_watched;
DROP TABLE kept_watched;
DROP TABLE down_4;
