// Package sqlite stores widgets in an SQLite file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"example.com/warren/cmd/warren/internal/skeleton/internal/domain"
	"example.com/warren/pkg/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store implements app.Store. Use it between Open and Close.
type Store struct{ *sqlite.DB }

// NewStore returns the store in the file at path.
func NewStore(path string) *Store { return &Store{sqlite.NewDB(path, migrations)} }

// Create implements app.Store. It updates an existing row to what it is, so that the statement returns that row.
func (s *Store) Create(
	ctx context.Context, created domain.Widget, key string,
) (domain.Widget, error) {
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

// Get implements app.Store.
func (s *Store) Get(ctx context.Context, ownerID, id string) (domain.Widget, error) {
	found, err := scan(s.Reader().QueryRowContext(ctx,
		`SELECT id, owner_id, name, created_at FROM "widgets" WHERE owner_id = ? AND id = ?`, ownerID, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNotFound
	}
	if err != nil {
		return domain.Widget{}, fmt.Errorf("get widget %s: %w", id, err)
	}
	return found, nil
}

// List implements app.Store. No ID is above '~'.
func (s *Store) List(ctx context.Context, ownerID, before string, limit int) (list []domain.Widget, err error) {
	rows, err := s.Reader().QueryContext(ctx, `SELECT id, owner_id, name, created_at FROM "widgets"
		WHERE owner_id = ? AND id < coalesce(nullif(?, ''), '~') ORDER BY id DESC LIMIT ?`, ownerID, before, limit)
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
