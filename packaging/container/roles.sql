-- Run once, by the database's image, when it makes the database: docs/security.md says what the role is for.
CREATE ROLE tollbook_api NOLOGIN;
GRANT tollbook_api TO tollbook;
