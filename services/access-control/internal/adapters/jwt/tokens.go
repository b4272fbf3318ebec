package jwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/warren/pkg/keyring"
	"example.com/warren/pkg/rpc"
	"example.com/warren/services/access-control/internal/domain"
)

var (
	errTooLarge       = fmt.Errorf("more than %d bytes", rpc.MaxTokenBytes)
	errCharacters     = errors.New("characters outside of base64url")
	errHeader         = errors.New("a header of another kind of token")
	errUnknownKey     = errors.New("unknown key")
	errOtherAlgorithm = errors.New("the key is for another algorithm")
)

// Config holds the settings of tokens and of their keys.
type Config struct {
	Keys      string            `default:"keys" validate:"required" file:"" help:"Directory of the keys that sign tokens, which all replicas share. A key is made at the first start."`
	Algorithm keyring.Algorithm `default:"EdDSA" validate:"oneof=EdDSA RS256" help:"How tokens are signed."`
	Issuer    string            `default:"warren" validate:"required" help:"Issuer (iss) of the tokens."`
	Audience  string            `default:"warren" validate:"required" help:"Audience (aud) of the tokens."`
	Leeway    time.Duration     `default:"5s" validate:"min=0s,max=30s" help:"Allowed difference between clocks, at most 30s."`
}

// Tokens issues and verifies tokens. It implements app.Tokens.
type Tokens struct {
	keys      *keyring.Ring
	config    Config
	parser    *jwt.Parser
	validator *jwt.Validator // checks the claims as parser does
	verified  *verifiedTokens
	unknown   *unknownKeys
}

// NewTokens returns the Tokens of keys. It rejects settings that would disable a check.
func NewTokens(config Config, keys *keyring.Ring, logger *slog.Logger, now func() time.Time) (*Tokens, error) {
	if config.Issuer == "" || config.Audience == "" {
		return nil, errors.New("verify tokens: issuer and audience are required")
	}
	if config.Leeway < 0 || config.Leeway > domain.MaxLeeway {
		return nil, fmt.Errorf("verify tokens: leeway %s is not in 0s to %s", config.Leeway, domain.MaxLeeway)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{string(keyring.EdDSA), string(keyring.RS256)}),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithIssuer(config.Issuer),
		jwt.WithAudience(config.Audience),
		jwt.WithLeeway(config.Leeway),
		jwt.WithTimeFunc(now),
	}
	return &Tokens{
		keys:      keys,
		config:    config,
		parser:    jwt.NewParser(options...),
		validator: jwt.NewValidator(options...),
		verified:  newVerifiedTokens(),
		unknown:   newUnknownKeys(logger),
	}, nil
}

// Sign implements app.Tokens.
func (t *Tokens) Sign(c domain.Claims) (string, error) {
	key := t.keys.Signing(t.config.Algorithm)
	token := jwt.NewWithClaims(jwt.GetSigningMethod(string(key.Algorithm)), newClaims(c, t.config.Issuer, t.config.Audience))
	token.Header["kid"] = key.ID
	signed, err := token.SignedString(key.Private)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// Verify implements app.Tokens. Its errors contain no part of the token that is secret.
func (t *Tokens) Verify(ctx context.Context, token string) (domain.Claims, error) {
	if err := checkForm(token); err != nil {
		return domain.Claims{}, fmt.Errorf("%w: %w", domain.ErrTokenMalformed, err)
	}
	c, err := t.parse(ctx, token)
	if err != nil {
		return domain.Claims{}, fmt.Errorf("%w: %w", domainError(err), err)
	}
	return c.domain(), nil
}

// checkForm makes two checks that the parser lacks. The parser reads tokens of any length, and skips line breaks, so that a
// token and its copy with a line break would both be valid.
func checkForm(token string) error {
	if len(token) > rpc.MaxTokenBytes {
		return errTooLarge
	}
	if strings.ContainsFunc(token, func(r rune) bool { return !isTokenRune(r) }) {
		return errCharacters
	}
	return nil
}

func isTokenRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.'
}

func (t *Tokens) parse(ctx context.Context, token string) (claims, error) {
	identityKey := t.keys.Signing(identityAlgorithm)
	if v, ok := t.verified.get(token); ok && v.identityKey == identityKey.ID && t.isKnown(v.key) {
		if err := t.validator.Validate(v.claims); err != nil {
			return claims{}, fmt.Errorf("%w: %w", jwt.ErrTokenInvalidClaims, err)
		}
		return v.claims, nil
	}
	var c claims
	parsed, err := t.parser.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) { return t.verifyingKey(ctx, token) })
	if err != nil {
		return claims{}, err
	}
	if c.assertion, err = signIdentity(c, identityKey); err != nil {
		return claims{}, err
	}
	id, _ := parsed.Header["kid"].(string)
	t.verified.add(token, verifiedToken{claims: c, key: id, identityKey: identityKey.ID})
	return c, nil
}

func (t *Tokens) isKnown(id string) bool {
	_, ok := t.keys.Find(id)
	return ok
}

// verifyingKey returns the public key that the header names. The header is not trusted: it selects one of our keys and
// nothing else. It must not have members other than alg, kid and typ. That rejects crit, which the library leaves to its
// user (RFC 7515, section 4.1.11), and the members that bring or locate a key (jwk, jku, x5c, x5u).
func (t *Tokens) verifyingKey(ctx context.Context, token *jwt.Token) (any, error) {
	for name := range token.Header {
		if !slices.Contains([]string{"alg", "kid", "typ"}, name) {
			return nil, errHeader
		}
	}
	if token.Header["typ"] != "JWT" {
		return nil, errHeader
	}
	id, _ := token.Header["kid"].(string)
	k, ok := t.keys.Find(id)
	if !ok {
		t.unknown.warn(ctx, id)
		return nil, errUnknownKey
	}
	if string(k.Algorithm) != token.Method.Alg() {
		return nil, errOtherAlgorithm
	}
	return k.Private.Public(), nil
}

// domainError returns the domain's error for err, which may join several errors of the parser. Permanent faults come
// first: a token of another issuer is reported as invalid even if it has also expired.
func domainError(err error) error {
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
	switch {
	case is(jwt.ErrTokenMalformed):
		return domain.ErrTokenMalformed
	case is(jwt.ErrTokenRequiredClaimMissing, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience):
		return domain.ErrTokenInvalid
	case is(jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued):
		return domain.ErrTokenNotYetValid
	case is(jwt.ErrTokenExpired):
		return domain.ErrTokenExpired
	default:
		return domain.ErrTokenInvalid
	}
}
