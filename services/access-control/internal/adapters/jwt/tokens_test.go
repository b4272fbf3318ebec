package jwt

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/identitykeys"
	"example.com/warren/pkg/rpc/protocol"
	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	eddsaID  = "0001-eddsa"
	rs256ID  = "0001-rs256"
	issuer   = "warren"
	audience = "warren-services"
	leeway   = 5 * time.Second
)

var (
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	// eddsaKey is the same in every process, because the workers of a fuzz run share their inputs.
	eddsaKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(minRSABits) })
)

func mustRSA(bits int) *rsa.PrivateKey {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return private
}

// testRing returns a ring of one key per algorithm; the configured one signs.
func testRing(t testing.TB, configured Algorithm) *KeyRing {
	t.Helper()
	ring, found := newKeyRing([]key{
		{id: eddsaID, method: jwt.SigningMethodEdDSA, private: eddsaKey},
		{id: rs256ID, method: jwt.SigningMethodRS256, private: rsaKey()},
	}, configured)
	if !found {
		t.Fatalf("no key of %s", configured)
	}
	return ring
}

func testTokens(t testing.TB, ring *KeyRing) *Tokens {
	t.Helper()
	return testTokensAt(t, ring, func() time.Time { return now })
}

func testTokensAt(t testing.TB, ring *KeyRing, clock func() time.Time) *Tokens {
	t.Helper()
	tokens, err := NewTokens(Config{Issuer: issuer, Audience: audience, Leeway: leeway}, ring, clock)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func testClaims() domain.Claims {
	return domain.Claims{
		TokenID: "token-1", Subject: "user-1", Username: "ann", Scopes: []string{"orders:read", "orders:write"},
		IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute),
	}
}

// The tests build their tokens by hand, independently of the library under test.

type object = map[string]any

func goodHeader() object { return object{"alg": "EdDSA", "kid": eddsaID, "typ": "JWT"} }

func goodPayload() object {
	return object{
		"jti": "token-1", "sub": "user-1", "iss": issuer, "aud": []string{audience}, "username": "ann",
		"scope": "orders:read orders:write", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
	}
}

// with returns a copy of o with one member set.
func with(o object, name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

// without returns a copy of o without one member.
func without(o object, name string) object {
	o = maps.Clone(o)
	delete(o, name)
	return o
}

type signature func(text string) []byte

func byEdDSA(private ed25519.PrivateKey) signature {
	return func(text string) []byte { return ed25519.Sign(private, []byte(text)) }
}

func byRS256(private *rsa.PrivateKey) signature {
	return func(text string) []byte {
		digest := sha256.Sum256([]byte(text))
		signed, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		if err != nil {
			panic(err)
		}
		return signed
	}
}

func byHS256(secret []byte) signature {
	return func(text string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
}

func noSignature(string) []byte { return nil }

func makeToken(header, payload any, sign signature) string {
	text := segment(encode(header)) + "." + segment(encode(payload))
	return text + "." + segment(sign(text))
}

func goodToken() string { return makeToken(goodHeader(), goodPayload(), byEdDSA(eddsaKey)) }

func encode(v any) []byte {
	if raw, ok := v.(string); ok {
		return []byte(raw)
	}
	content, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return content
}

func segment(content []byte) string { return base64.RawURLEncoding.EncodeToString(content) }

func TestSignedTokenIsVerified(t *testing.T) {
	for _, algorithm := range []Algorithm{EdDSA, RS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			tokens := testTokens(t, testRing(t, algorithm))
			token, err := tokens.Sign(testClaims())
			if err != nil {
				t.Fatal(err)
			}
			got, err := tokens.Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			assertion := got.Assertion
			got.Assertion = ""
			if diff := cmp.Diff(testClaims(), got); diff != "" {
				t.Error(diff)
			}
			wantAssertion(t, assertion, testClaims())
		})
	}
}

// wantAssertion verifies the assertion as other services do.
func wantAssertion(t *testing.T, assertion string, want domain.Claims) {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "identity-keys")
	if err := testRing(t, EdDSA).PublishIdentityKeys(directory); err != nil {
		t.Fatal(err)
	}
	keys := identitykeys.NewDirectory(directory, slog.New(slog.DiscardHandler))
	if err := protocol.VerifyIdentity(assertion, keys.Key); err != nil {
		t.Error(err)
	}
	got, err := protocol.ParseIdentity(assertion)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&rpc.Identity{
		Subject: want.Subject, Username: want.Username, Scopes: want.Scopes,
		TokenID: want.TokenID, ExpiresAt: want.ExpiresAt, Assertion: assertion,
	}, got); diff != "" {
		t.Errorf("identity: -want +got:\n%s", diff)
	}
}

func TestSignWritesStandardClaims(t *testing.T) {
	token, err := testTokens(t, testRing(t, EdDSA)).Sign(testClaims())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decode(t, goodToken()), decode(t, token)); diff != "" {
		t.Error(diff)
	}
}

// decode returns the header and the payload of a token.
func decode(t *testing.T, token string) [2]object {
	t.Helper()
	var objects [2]object
	for i, part := range strings.Split(token, ".")[:2] {
		content, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &objects[i]); err != nil {
			t.Fatal(err)
		}
	}
	return objects
}

// Tokens of a key that no longer signs stay valid.
func TestOldKeyVerifies(t *testing.T) {
	young := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	ring, _ := newKeyRing([]key{
		{id: "0002-eddsa", method: jwt.SigningMethodEdDSA, private: young},
		{id: eddsaID, method: jwt.SigningMethodEdDSA, private: eddsaKey},
	}, EdDSA)
	if id := ring.SigningKeyID(); id != "0002-eddsa" {
		t.Errorf("%s signs", id)
	}
	if _, err := testTokens(t, ring).Verify(goodToken()); err != nil {
		t.Error(err)
	}
}

func TestLeeway(t *testing.T) {
	ring := testRing(t, EdDSA)
	expiry := now.Add(15 * time.Minute)
	tests := []struct {
		name string
		at   time.Time
		want error
	}{
		{"before it is issued", now.Add(-leeway - time.Second), domain.ErrTokenNotYetValid},
		{"issued by a clock that is ahead", now.Add(-leeway), nil},
		{"issued", now, nil},
		{"expired by a clock that is behind", expiry.Add(leeway - time.Second), nil},
		{"expired", expiry.Add(leeway), domain.ErrTokenExpired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := testTokensAt(t, ring, func() time.Time { return test.at }).Verify(goodToken())
			if !errorIs(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestNewTokensRejectsSettingsThatDisableChecks(t *testing.T) {
	good := Config{Issuer: issuer, Audience: audience, Leeway: domain.MaxLeeway}
	tests := []struct {
		name   string
		change func(*Config)
		ok     bool
	}{
		{"good", func(*Config) {}, true},
		{"no issuer", func(c *Config) { c.Issuer = "" }, false},
		{"no audience", func(c *Config) { c.Audience = "" }, false},
		{"negative leeway", func(c *Config) { c.Leeway = -1 }, false},
		{"too much leeway", func(c *Config) { c.Leeway = domain.MaxLeeway + 1 }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := good
			test.change(&config)
			_, err := NewTokens(config, testRing(t, EdDSA), time.Now)
			if (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
