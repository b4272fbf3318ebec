-- +goose Up

-- Times are microseconds since 1970, UTC.
CREATE TABLE "widgets" (
    id              TEXT    NOT NULL PRIMARY KEY,
    owner_id        TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (owner_id, idempotency_key)
) STRICT;

-- In the sort order of lists.
CREATE INDEX "widgets_of_owner" ON "widgets" (owner_id, id);

-- +goose Down
DROP TABLE "widgets";
