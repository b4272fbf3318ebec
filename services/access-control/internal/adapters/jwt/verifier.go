package jwt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/warren/services/access-control/internal/domain"
)

// maxTokenBytes bounds what is parsed before anything is known of its author.
const maxTokenBytes = 8 << 10

var (
	errTooLarge       = fmt.Errorf("more than %d bytes", maxTokenBytes)
	errCharacters     = errors.New("characters outside of base64url")
	errHeader         = errors.New("a header of another kind of token")
	errUnknownKey     = errors.New("unknown key")
	errOtherAlgorithm = errors.New("the key is for another algorithm")
)

// VerifierOptions are what a Verifier expects of tokens.
type VerifierOptions struct {
	Issuer   string
	Audience string
	Leeway   time.Duration // allowed between clocks; at most domain.MaxLeeway
	Now      func() time.Time
}

// Verifier is an app.TokenVerifier.
type Verifier struct {
	keys      *KeyRing
	parser    *jwt.Parser
	validator *jwt.Validator // of the claims, as the parser has it
	verified  *verifiedTokens
}

// NewVerifier returns a Verifier of the tokens of keys. Options that would leave a check out are an error.
func NewVerifier(keys *KeyRing, o VerifierOptions) (*Verifier, error) {
	if o.Issuer == "" || o.Audience == "" {
		return nil, errors.New("verify tokens: issuer and audience are required")
	}
	if o.Leeway < 0 || o.Leeway > domain.MaxLeeway {
		return nil, fmt.Errorf("verify tokens: a leeway of %s, 0s to %s are allowed", o.Leeway, domain.MaxLeeway)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(keys.algorithms()),
		jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithIssuer(o.Issuer),
		jwt.WithAudience(o.Audience),
		jwt.WithLeeway(o.Leeway),
		jwt.WithTimeFunc(o.Now),
	}
	return &Verifier{
		keys:      keys,
		parser:    jwt.NewParser(options...),
		validator: jwt.NewValidator(options...),
		verified:  newVerifiedTokens(),
	}, nil
}

// Verify implements app.TokenVerifier. No error holds the token or a part of it that is secret.
func (v *Verifier) Verify(token string) (domain.Claims, error) {
	if err := checkForm(token); err != nil {
		return domain.Claims{}, fmt.Errorf("%w: %w", domain.ErrTokenMalformed, err)
	}
	c, err := v.parse(token)
	if err != nil {
		return domain.Claims{}, fmt.Errorf("%w: %w", reason(err), err)
	}
	return c.domain(), nil
}

func (v *Verifier) parse(token string) (claims, error) {
	if c, ok := v.verified.get(token); ok {
		return v.validate(c)
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.key); err != nil {
		return claims{}, err
	}
	v.verified.add(token, c)
	return c, nil
}

// validate does what the parser does once the signature is good.
func (v *Verifier) validate(c claims) (claims, error) {
	if err := v.validator.Validate(c); err != nil {
		return claims{}, fmt.Errorf("%w: %w", jwt.ErrTokenInvalidClaims, err)
	}
	return c, nil
}

// checkForm comes before the parser, which has no limit and reads over line breaks: a token and its copy with a line
// break would both be good.
func checkForm(token string) error {
	if len(token) > maxTokenBytes {
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

// key returns what the token is verified with. The header is the sender's word: it chooses one of our keys by name, and
// nothing else. Tokens of this service have three members in it. Any other, above all crit (RFC 7515, section 4.1.11:
// to be refused unless understood, which the library leaves to us) and those that bring a key or say where to find
// one (jwk, jku, x5c, x5u), makes it somebody else's.
func (v *Verifier) key(token *jwt.Token) (any, error) {
	for name := range token.Header {
		if !slices.Contains([]string{"alg", "kid", "typ"}, name) {
			return nil, errHeader
		}
	}
	if token.Header["typ"] != "JWT" {
		return nil, errHeader
	}
	id, _ := token.Header["kid"].(string)
	k, ok := v.keys.byID[id]
	if !ok {
		return nil, errUnknownKey
	}
	if k.method.Alg() != token.Method.Alg() {
		return nil, errOtherAlgorithm
	}
	return k.verifying, nil
}

// reason puts the parser's errors, of which there may be several, into the domain's words. What is wrong for ever comes
// first: a token by another issuer is not called expired.
func reason(err error) error {
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
