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

	// Assertion is the identity with the signature of its issuer, as [SignIdentity] made it; empty if it is not signed. It
	// goes with the calls that are made for this caller in place of the other fields. Until ExpiresAt, it lets its
	// holder act as the caller inside the system: do not log it.
	Assertion string
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
	identityKey       = "key"
	identitySignature = "signature"
)

// encodeIdentity leaves out the assertion. It writes the subject even if it is empty, so that the receiver refuses the identity
// instead of taking the caller for unknown.
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

var errNoSubject = errors.New("no " + identitySubject)

func decodeIdentity(headers map[string]any) (*Identity, error) {
	value, ok := headers[headerIdentity]
	if !ok {
		return nil, nil //nolint:nilnil // the caller is unknown
	}
	s, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("%s is %T, not a string", headerIdentity, value)
	}
	i, err := ParseIdentity(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", headerIdentity, err)
	}
	return i, nil
}

// ParseIdentity reads an identity in the form that PROTOCOL.md describes, such as an assertion. It does not verify a signature.
func ParseIdentity(s string) (*Identity, error) {
	i, expiry := &Identity{}, ""
	err := parseForm(s, func(name, value string) {
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
		case identitySignature:
			i.Assertion = s
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
			return nil, fmt.Errorf("%s is not a number of seconds", identityExpiresAt)
		}
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	return i, nil
}
