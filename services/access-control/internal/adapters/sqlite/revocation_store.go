package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// RevocationStore is an app.RevocationStore.
type RevocationStore struct {
	db  *DB
	now func() time.Time

	isRevoked atomic.Pointer[sql.Stmt] // nil until needed; the database closes it
}

// NewRevocationStore returns the store of the revocations in db.
func NewRevocationStore(db *DB, now func() time.Time) *RevocationStore {
	return &RevocationStore{db: db, now: now}
}

// Revoke implements app.RevocationStore, and forgets the revocations that are over: the table stays as small as the
// logouts of one token lifetime.
func (s *RevocationStore) Revoke(ctx context.Context, r domain.Revocation) error {
	if _, err := s.db.Writer().ExecContext(ctx, `DELETE FROM revocations WHERE revoked_until < ?`, s.now().Unix()); err != nil {
		return fmt.Errorf("delete old revocations: %w", err)
	}
	const statement = `INSERT INTO revocations (token_id, revoked_until) VALUES (?, ?)
		ON CONFLICT (token_id) DO UPDATE SET revoked_until = max(revoked_until, excluded.revoked_until)`
	if _, err := s.db.Writer().ExecContext(ctx, statement, r.TokenID, r.Until.Unix()); err != nil {
		return fmt.Errorf("insert revocation: %w", err)
	}
	return nil
}

// IsRevoked implements app.RevocationStore.
func (s *RevocationStore) IsRevoked(ctx context.Context, tokenID string) (bool, error) {
	query, err := s.prepare(ctx) //nolint:sqlclosecheck // the database closes it
	if err != nil {
		return false, fmt.Errorf("prepare query for revocations: %w", err)
	}
	var revoked bool
	if err := query.QueryRowContext(ctx, tokenID).Scan(&revoked); err != nil {
		return false, fmt.Errorf("select revocation: %w", err)
	}
	return revoked, nil
}

// prepare spares the query that comes with every token a third of its time.
func (s *RevocationStore) prepare(ctx context.Context) (*sql.Stmt, error) {
	if query := s.isRevoked.Load(); query != nil {
		return query, nil
	}
	query, err := s.db.Reader().PrepareContext(ctx, `SELECT EXISTS (SELECT 1 FROM revocations WHERE token_id = ?)`)
	if err != nil {
		return nil, err
	}
	if s.isRevoked.CompareAndSwap(nil, query) {
		return query, nil
	}
	return s.isRevoked.Load(), query.Close() //nolint:sqlclosecheck // another was first
}
