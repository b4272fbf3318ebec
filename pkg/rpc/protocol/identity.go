package protocol

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Identity is a caller whose token was checked.
type Identity struct {
	Subject   string // the user's ID
	Username  string
	Scopes    []string
	TokenID   string    // the token's jti
	ExpiresAt time.Time // the token's exp
}

// HasScope reports whether the identity has the scope. A nil Identity has none.
func (i *Identity) HasScope(scope string) bool {
	return i != nil && slices.Contains(i.Scopes, scope)
}

// The names in the form of headerIdentity.
const (
	identitySubject   = "subject"
	identityUsername  = "username"
	identityScope     = "scope"
	identityTokenID   = "token-id"
	identityExpiresAt = "expires-at"
)

// encodeIdentity writes the subject even if it is empty, so that the receiver refuses the identity instead of taking the
// caller for unknown.
func encodeIdentity(i *Identity) form {
	f := make(form, 0, 256)
	f = f.add(identitySubject, i.Subject).addIf(identityUsername, i.Username).addIf(identityTokenID, i.TokenID)
	for _, scope := range i.Scopes {
		f = f.add(identityScope, scope)
	}
	if !i.ExpiresAt.IsZero() {
		f = f.add(identityExpiresAt, strconv.FormatInt(i.ExpiresAt.Unix(), 10))
	}
	return f
}

var errNoSubject = errors.New(headerIdentity + " has no " + identitySubject)

func decodeIdentity(headers map[string]any) (*Identity, error) {
	if _, ok := headers[headerIdentity]; !ok {
		return nil, nil //nolint:nilnil // the caller is unknown
	}
	i, expiry := &Identity{}, ""
	err := readForm(headers, headerIdentity, func(name, value string) {
		switch name {
		case identitySubject:
			i.Subject = value
		case identityUsername:
			i.Username = value
		case identityTokenID:
			i.TokenID = value
		case identityScope:
			i.Scopes = append(i.Scopes, value)
		case identityExpiresAt:
			expiry = value
		}
	})
	if err != nil {
		return nil, err
	}
	if i.Subject == "" {
		return nil, errNoSubject
	}
	if expiry != "" {
		seconds, err := strconv.ParseInt(expiry, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s is not a number of seconds", headerIdentity, identityExpiresAt)
		}
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	return i, nil
}
