-- +goose Up

-- Times are microseconds since 1970, UTC. Amounts are minor units of the order's currency.
CREATE TABLE orders (
    id          TEXT    NOT NULL PRIMARY KEY,
    customer_id TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    total       INTEGER NOT NULL CHECK (total >= 0),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- Indexes in the sort order of lists: of one customer's orders, and of all orders.
CREATE INDEX orders_of_customer ON orders (customer_id, created_at, id);
CREATE INDEX orders_by_time ON orders (created_at, id);

CREATE TABLE order_items (
    order_id   TEXT    NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    sku        TEXT    NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

-- A customer has at most one order per key.
CREATE TABLE idempotency_keys (
    customer_id TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    order_id    TEXT    NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (customer_id, key)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE order_items;
DROP TABLE orders;
