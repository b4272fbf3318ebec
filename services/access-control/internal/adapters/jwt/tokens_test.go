package jwt

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/pkg/keyring"
	"example.com/warren/pkg/rpc"
	"example.com/warren/pkg/rpc/identitykeys"
	"example.com/warren/pkg/rpc/protocol"
	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	issuer   = "issuer"
	audience = "services"
	leeway   = 5 * time.Second
)

var (
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	// eddsaKey is the same in every process, because the workers of a fuzz run share their inputs.
	eddsaKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	eddsaID  = keyID(eddsaKey)
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return private
	})
	rs256ID = sync.OnceValue(func() string { return keyID(rsaKey()) })
)

// keyID returns the hash of a public key.
func keyID(private crypto.Signer) string {
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		panic(err)
	}
	hash := sha256.Sum256(public)
	return segment(hash[:])
}

// writeKey puts a key into a directory.
func writeKey(t testing.TB, directory, name string, private crypto.Signer) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, directory string, configured keyring.Algorithm) *keyring.Ring {
	t.Helper()
	ring, err := OpenKeys(Config{Keys: directory, Algorithm: configured}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// testRing returns a ring of one key per algorithm.
func testRing(t testing.TB) *keyring.Ring {
	t.Helper()
	directory := t.TempDir()
	writeKey(t, directory, "0001-eddsa.pem", eddsaKey)
	writeKey(t, directory, "0001-rs256.pem", rsaKey())
	return mustOpen(t, directory, keyring.RS256)
}

func testTokens(t testing.TB, configured keyring.Algorithm) *Tokens {
	t.Helper()
	return testTokensAt(t, testRing(t), configured, func() time.Time { return now })
}

func testTokensAt(t testing.TB, ring *keyring.Ring, configured keyring.Algorithm, clock func() time.Time) *Tokens {
	t.Helper()
	config := Config{Algorithm: configured, Issuer: issuer, Audience: audience, Leeway: leeway}
	tokens, err := NewTokens(config, ring, slog.New(slog.DiscardHandler), clock)
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
	for _, algorithm := range []keyring.Algorithm{keyring.EdDSA, keyring.RS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			tokens := testTokens(t, algorithm)
			token, err := tokens.Sign(testClaims())
			if err != nil {
				t.Fatal(err)
			}
			got, err := tokens.Verify(t.Context(), token)
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
	private := t.TempDir()
	writeKey(t, private, "0001.pem", eddsaKey)
	if _, err := OpenKeys(Config{Keys: private, Algorithm: keyring.EdDSA}, directory, slog.New(slog.DiscardHandler)); err != nil {
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
	token, err := testTokens(t, keyring.EdDSA).Sign(testClaims())
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

func TestLeeway(t *testing.T) {
	ring := testRing(t)
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
			_, err := testTokensAt(t, ring, keyring.EdDSA, func() time.Time { return test.at }).Verify(t.Context(), goodToken())
			if !errorIs(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestNewTokensRejectsSettingsThatDisableChecks(t *testing.T) {
	ring := testRing(t)
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
			_, err := NewTokens(config, ring, slog.New(slog.DiscardHandler), time.Now)
			if (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
