// Package sqlite stores orders in an SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/warren/pkg/sqlite"
	"example.com/warren/services/orders/internal/app"
	"example.com/warren/services/orders/internal/domain"
)

//go:embed migrations/*.sql
var migrations embed.FS

// OrderStore implements app.OrderStore. Use it between Open and Close.
type OrderStore struct {
	*sqlite.DB
}

var _ app.OrderStore = (*OrderStore)(nil)

// NewOrderStore returns the store of the orders in the file at path.
func NewOrderStore(path string) *OrderStore { return &OrderStore{sqlite.NewDB(path, migrations)} }

// Create implements app.OrderStore.
func (s *OrderStore) Create(ctx context.Context, o domain.Order, key string) (domain.Order, error) {
	tx, err := s.Writer().BeginTx(ctx, nil)
	if err != nil {
		return domain.Order{}, fmt.Errorf("create order: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	stored, err := createOnce(ctx, tx, o, key)
	if err != nil {
		return domain.Order{}, fmt.Errorf("create order: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return domain.Order{}, fmt.Errorf("create order: %w", err)
	}
	return stored, nil
}

// createOnce looks the key up before it inserts it. That is safe because a transaction of the writer holds the write lock
// from its start.
func createOnce(ctx context.Context, tx *sql.Tx, o domain.Order, key string) (domain.Order, error) {
	existing, err := get(ctx, tx, `WHERE id = (SELECT order_id FROM idempotency_keys WHERE customer_id = ? AND key = ?)`,
		o.CustomerID, key)
	if !errors.Is(err, domain.ErrNotFound) {
		return existing, err
	}
	if err := insert(ctx, tx, o); err != nil {
		return domain.Order{}, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO idempotency_keys (customer_id, key, order_id, created_at) VALUES (?, ?, ?, ?)`,
		o.CustomerID, key, o.ID, o.CreatedAt.UnixMicro())
	return o, err
}

func insert(ctx context.Context, tx *sql.Tx, o domain.Order) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO orders (id, customer_id, status, currency, total, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		o.ID, o.CustomerID, o.Status, o.Currency, o.Total, o.CreatedAt.UnixMicro(), o.UpdatedAt.UnixMicro())
	if err != nil {
		return err
	}
	for i, item := range o.Items {
		_, err := tx.ExecContext(ctx, `INSERT INTO order_items (order_id, position, sku, quantity, unit_price)
			VALUES (?, ?, ?, ?, ?)`,
			o.ID, i, item.SKU, item.Quantity, item.UnitPrice)
		if err != nil {
			return err
		}
	}
	return nil
}

// Get implements app.OrderStore.
func (s *OrderStore) Get(ctx context.Context, id string) (domain.Order, error) {
	o, err := get(ctx, s.Reader(), `WHERE id = ?`, id)
	if err != nil {
		return domain.Order{}, fmt.Errorf("get order %s: %w", id, err)
	}
	return o, nil
}

// UpdateStatus implements app.OrderStore.
func (s *OrderStore) UpdateStatus(ctx context.Context, o domain.Order, from domain.Status) error {
	result, err := s.Writer().ExecContext(ctx, `UPDATE orders SET status = ?, updated_at = ? WHERE id = ? AND status = ?`,
		o.Status, o.UpdatedAt.UnixMicro(), o.ID, from)
	if err != nil {
		return fmt.Errorf("update order %s: %w", o.ID, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("update order %s: %w", o.ID, err)
	}
	if n == 0 {
		return fmt.Errorf("update order %s: %w", o.ID, app.ErrStale)
	}
	return nil
}

// List implements app.OrderStore.
func (s *OrderStore) List(ctx context.Context, q app.Query) ([]domain.Order, error) {
	where, args := conditions(q)
	orders, err := query(ctx, s.Reader(), where+` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, q.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	return orders, nil
}

func conditions(q app.Query) (where string, args []any) {
	terms := []string{"TRUE"}
	if !q.AllCustomers {
		terms, args = append(terms, "customer_id = ?"), append(args, q.CustomerID)
	}
	if q.Status != "" {
		terms, args = append(terms, "status = ?"), append(args, q.Status)
	}
	if q.After != nil {
		terms, args = append(terms, "(created_at, id) < (?, ?)"), append(args, q.After.CreatedAt.UnixMicro(), q.After.ID)
	}
	return "WHERE " + strings.Join(terms, " AND "), args
}

// queryer is implemented by *sql.DB and *sql.Tx.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// get returns the first order that query returns, or domain.ErrNotFound.
func get(ctx context.Context, db queryer, selection string, args ...any) (domain.Order, error) {
	orders, err := query(ctx, db, selection, args...)
	if err != nil {
		return domain.Order{}, err
	}
	if len(orders) == 0 {
		return domain.Order{}, domain.ErrNotFound
	}
	return orders[0], nil
}

// query returns the orders of SELECT * FROM orders with the given selection (WHERE …), newest first. It reads orders and
// items in one statement, so that they belong together.
func query(ctx context.Context, db queryer, selection string, args ...any) (orders []domain.Order, err error) {
	rows, err := db.QueryContext(ctx, `
		SELECT o.id, o.customer_id, o.status, o.currency, o.total, o.created_at, o.updated_at, i.sku, i.quantity, i.unit_price
		FROM (SELECT * FROM orders `+selection+`) AS o JOIN order_items AS i ON i.order_id = o.id
		ORDER BY o.created_at DESC, o.id DESC, i.position`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		o, item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if n := len(orders); n == 0 || orders[n-1].ID != o.ID {
			orders = append(orders, o)
		}
		last := &orders[len(orders)-1]
		last.Items = append(last.Items, item)
	}
	return orders, rows.Err()
}

func scan(rows *sql.Rows) (o domain.Order, item domain.Item, err error) {
	var createdAt, updatedAt int64
	err = rows.Scan(&o.ID, &o.CustomerID, &o.Status, &o.Currency, &o.Total, &createdAt, &updatedAt,
		&item.SKU, &item.Quantity, &item.UnitPrice)
	o.CreatedAt, o.UpdatedAt = time.UnixMicro(createdAt).UTC(), time.UnixMicro(updatedAt).UTC()
	return o, item, err
}
