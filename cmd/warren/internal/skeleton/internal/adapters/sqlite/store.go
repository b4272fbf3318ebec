// Package sqlite stores widgets in an SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
	"example.com/warren/pkg/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// WidgetStore implements app.WidgetStore. Use it between Open and Close.
type WidgetStore struct {
	*sqlite.DB
}

var _ app.WidgetStore = (*WidgetStore)(nil)

// NewWidgetStore returns the store in the file at path.
func NewWidgetStore(path string) *WidgetStore { return &WidgetStore{sqlite.NewDB(path, migrations)} }

// Create implements app.WidgetStore. It updates an existing row to what it is, so that the statement returns that row.
func (s *WidgetStore) Create(ctx context.Context, created domain.Widget, key string) (domain.Widget, error) {
	stored, err := scan(s.Writer().QueryRowContext(ctx, `
		INSERT INTO "widgets" (id, owner_id, idempotency_key, name, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (owner_id, idempotency_key) DO UPDATE SET id = id
		RETURNING id, owner_id, name, created_at`,
		created.ID, created.OwnerID, key, created.Name, created.CreatedAt.UnixMicro()))
	if err != nil {
		return domain.Widget{}, fmt.Errorf("create widget: %w", err)
	}
	return stored, nil
}

// Get implements app.WidgetStore.
func (s *WidgetStore) Get(ctx context.Context, id string) (domain.Widget, error) {
	found, err := scan(s.Reader().QueryRowContext(ctx, `SELECT id, owner_id, name, created_at FROM "widgets" WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNotFound
	}
	if err != nil {
		return domain.Widget{}, fmt.Errorf("get widget %s: %w", id, err)
	}
	return found, nil
}

// List implements app.WidgetStore.
func (s *WidgetStore) List(ctx context.Context, ownerID, before string, limit int) (list []domain.Widget, err error) {
	rows, err := s.Reader().QueryContext(ctx, `SELECT id, owner_id, name, created_at FROM "widgets"
		WHERE owner_id = ? AND (? = '' OR id < ?) ORDER BY id DESC LIMIT ?`,
		ownerID, before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list widgets: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		found, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, found)
	}
	return list, rows.Err()
}

// scan reads a row of the columns id, owner_id, name and created_at.
func scan(row interface{ Scan(dest ...any) error }) (found domain.Widget, err error) {
	var createdAt int64
	err = row.Scan(&found.ID, &found.OwnerID, &found.Name, &createdAt)
	found.CreatedAt = time.UnixMicro(createdAt).UTC()
	return found, err
}
