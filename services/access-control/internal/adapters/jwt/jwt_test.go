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
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/services/access-control/internal/domain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	eddsaID  = "0001-eddsa"
	rs256ID  = "0001-rs256"
	hs256ID  = "0001-hs256"
	issuer   = "warren"
	audience = "warren-services"
	leeway   = 5 * time.Second
)

var (
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	// The key is the same in every process, because the workers of a fuzz run share their inputs.
	eddsaKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	secret   = bytes.Repeat([]byte{9}, secretBytes)
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(minRSABits) })
)

func mustRSA(bits int) *rsa.PrivateKey {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return private
}

// testRing has a key of each algorithm; the one of HS256 only if it is the configured one, as LoadKeyRing has it.
func testRing(t testing.TB, configured Algorithm) *KeyRing {
	t.Helper()
	keys := []key{
		{id: eddsaID, method: jwt.SigningMethodEdDSA, signing: eddsaKey, verifying: eddsaKey.Public()},
		{id: rs256ID, method: jwt.SigningMethodRS256, signing: rsaKey(), verifying: rsaKey().Public()},
	}
	if configured == HS256 {
		keys = append(keys, key{id: hs256ID, method: jwt.SigningMethodHS256, signing: secret, verifying: secret})
	}
	ring, found := newKeyRing(keys, configured)
	if !found {
		t.Fatalf("no key of %s", configured)
	}
	return ring
}

func testVerifier(t testing.TB, ring *KeyRing) *Verifier {
	t.Helper()
	return testVerifierAt(t, ring, now)
}

func testVerifierAt(t testing.TB, ring *KeyRing, at time.Time) *Verifier {
	t.Helper()
	verifier, err := NewVerifier(ring, VerifierOptions{
		Issuer: issuer, Audience: audience, Leeway: leeway, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func testClaims() domain.Claims {
	return domain.Claims{
		TokenID: "token-1", Subject: "user-1", Username: "ann", Scopes: []string{"orders:read", "orders:write"},
		IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute),
	}
}

// The tests make their tokens by hand, so that what they show does not hang on the library that they test.

type object = map[string]any

func goodHeader() object { return object{"alg": "EdDSA", "kid": eddsaID, "typ": "JWT"} }

func goodPayload() object {
	return object{
		"jti": "token-1", "sub": "user-1", "iss": issuer, "aud": []string{audience}, "username": "ann",
		"scope": "orders:read orders:write", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(15 * time.Minute).Unix(),
	}
}

// with returns a copy of o with one member changed.
func with(o object, name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

// without returns a copy of o with one member less.
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
	for _, algorithm := range []Algorithm{EdDSA, RS256, HS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			ring := testRing(t, algorithm)
			token, err := NewSigner(ring, issuer, audience).Sign(testClaims())
			if err != nil {
				t.Fatal(err)
			}
			got, err := testVerifier(t, ring).Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(testClaims(), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSignWritesStandardClaims(t *testing.T) {
	token, err := NewSigner(testRing(t, EdDSA), issuer, audience).Sign(testClaims())
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

// Tokens of a key that no longer signs stay good.
func TestOldKeyVerifies(t *testing.T) {
	young := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	ring, _ := newKeyRing([]key{
		{id: "0002-eddsa", method: jwt.SigningMethodEdDSA, signing: young, verifying: young.Public()},
		{id: eddsaID, method: jwt.SigningMethodEdDSA, signing: eddsaKey, verifying: eddsaKey.Public()},
	}, EdDSA)
	if id := ring.SigningKeyID(); id != "0002-eddsa" {
		t.Errorf("%s signs", id)
	}
	if _, err := testVerifier(t, ring).Verify(goodToken()); err != nil {
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
			_, err := testVerifierAt(t, ring, test.at).Verify(goodToken())
			if !errorIs(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestNewVerifierRefusesOptionsThatLeaveChecksOut(t *testing.T) {
	good := VerifierOptions{Issuer: issuer, Audience: audience, Leeway: domain.MaxLeeway, Now: time.Now}
	tests := []struct {
		name   string
		change func(*VerifierOptions)
		ok     bool
	}{
		{"good", func(*VerifierOptions) {}, true},
		{"no issuer", func(o *VerifierOptions) { o.Issuer = "" }, false},
		{"no audience", func(o *VerifierOptions) { o.Audience = "" }, false},
		{"negative leeway", func(o *VerifierOptions) { o.Leeway = -1 }, false},
		{"too much leeway", func(o *VerifierOptions) { o.Leeway = domain.MaxLeeway + 1 }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := good
			test.change(&options)
			_, err := NewVerifier(testRing(t, EdDSA), options)
			if (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
