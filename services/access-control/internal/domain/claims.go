package domain

import "time"

// Claims are what a token says, under its signature. Times are cut to the second, as tokens carry them.
type Claims struct {
	TokenID   string // jti: what a logout revokes
	Subject   string // the user's ID
	Username  string
	Scopes    []string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// NewClaims returns what a token for user says that is made at now.
func NewClaims(tokenID string, user User, now time.Time, lifetime time.Duration) Claims {
	issuedAt := now.UTC().Truncate(time.Second)
	return Claims{
		TokenID:   tokenID,
		Subject:   user.ID,
		Username:  user.Username,
		Scopes:    user.Scopes,
		IssuedAt:  issuedAt,
		ExpiresAt: issuedAt.Add(lifetime).Truncate(time.Second),
	}
}
