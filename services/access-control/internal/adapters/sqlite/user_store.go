package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/warren/services/access-control/internal/domain"
)

// UserStore is an app.UserStore.
type UserStore struct {
	db *DB
}

// NewUserStore returns the store of the users in db.
func NewUserStore(db *DB) *UserStore {
	return &UserStore{db: db}
}

// UserByName implements app.UserStore.
func (s *UserStore) UserByName(ctx context.Context, username string) (domain.User, error) {
	const query = `SELECT id, username, password_hash, scopes, created_at FROM users WHERE username = ?`
	var (
		user      domain.User
		scopes    string
		createdAt int64
	)
	err := s.db.Reader().QueryRowContext(ctx, query, username).
		Scan(&user.ID, &user.Username, &user.PasswordHash, &scopes, &createdAt)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.User{}, domain.ErrUserNotFound
	}
	if err != nil {
		return domain.User{}, fmt.Errorf("select user: %w", err)
	}
	user.Scopes = strings.Fields(scopes)
	user.CreatedAt = time.Unix(createdAt, 0).UTC()
	return user, nil
}

// AddUser implements app.UserStore.
func (s *UserStore) AddUser(ctx context.Context, user domain.User) error {
	const statement = `INSERT INTO users (id, username, password_hash, scopes, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (username) DO NOTHING`
	result, err := s.db.Writer().ExecContext(ctx, statement,
		user.ID, user.Username, user.PasswordHash, strings.Join(user.Scopes, " "), user.CreatedAt.Unix())
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}
	added, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}
	if added == 0 {
		return domain.ErrUsernameTaken
	}
	return nil
}

// ReplacePasswordHash implements app.UserStore.
func (s *UserStore) ReplacePasswordHash(ctx context.Context, userID, current, replacement string) error {
	const statement = `UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?`
	if _, err := s.db.Writer().ExecContext(ctx, statement, replacement, userID, current); err != nil {
		return fmt.Errorf("update password hash: %w", err)
	}
	return nil
}
