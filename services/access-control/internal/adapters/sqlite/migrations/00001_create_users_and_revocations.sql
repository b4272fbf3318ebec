-- +goose Up
CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    scopes        TEXT    NOT NULL, -- separated by spaces
    created_at    INTEGER NOT NULL  -- Unix seconds
) STRICT;

CREATE TABLE revocations (
    token_id      TEXT    NOT NULL PRIMARY KEY,
    revoked_until INTEGER NOT NULL -- Unix seconds
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_by_end ON revocations (revoked_until);

-- +goose Down
DROP TABLE revocations;
DROP TABLE users;
