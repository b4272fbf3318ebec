package domain

import "time"

// Claims is the signed content of a token. Tokens carry times in whole seconds.
type Claims struct {
	TokenID   string // jti, which a logout revokes
	Subject   string // the user's ID
	Username  string
	Scopes    []string
	IssuedAt  time.Time
	ExpiresAt time.Time

	// Assertion is what other services get instead of the token: the same claims, signed for them. A verified token has one.
	Assertion string
}

// NewClaims returns the claims of a token that is issued to user at now.
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
