package protocol

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testKey is the key of RFC 8032, section 7.1, test 1.
var testKey = ed25519.NewKeyFromSeed([]byte("\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4" +
	"\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60"))

func findTestKey(id string) ed25519.PublicKey {
	if id != "k-1" {
		return nil
	}
	return testKey.Public().(ed25519.PublicKey) //nolint:forcetypeassert // documented
}

func testIdentity() *Identity {
	return &Identity{
		Subject: "u-1", Username: "démo & co", Scopes: []string{"orders:read", "orders:write"},
		TokenID: "t-1", ExpiresAt: time.Unix(1772370000, 0).UTC(),
	}
}

func TestAssertion(t *testing.T) {
	assertion, err := SignIdentity(testIdentity(), "k-1", testKey)
	if err != nil {
		t.Fatal(err)
	}
	// Other languages verify these bytes: a change needs a new version of the protocol.
	const golden = "subject=u-1&username=d%C3%A9mo+%26+co&token-id=t-1&scope=orders%3Aread&scope=orders%3Awrite&expires-at=1772370000" +
		"&key=k-1&signature=W8Ftw1PDj0r5bq3tE3M6RvNhdCnO8abL_oKHls39CaxVVl-LX5sUSFQjwwpGHQEb3H4v3kGG_koDP3a6Dl6ZAA"
	if diff := cmp.Diff(golden, assertion); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := VerifyIdentity(assertion, findTestKey); err != nil {
		t.Error(err)
	}
	got, err := ParseIdentity(assertion)
	if err != nil {
		t.Fatal(err)
	}
	want := testIdentity()
	want.Assertion = assertion
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r, err := DecodeRequest("q", Encoder{}.Request(&Request{Identity: got}, "secret", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r.Identity); diff != "" {
		t.Errorf("of a nested call: -want +got:\n%s", diff)
	}
}

func TestForgedAssertions(t *testing.T) {
	valid, err := SignIdentity(testIdentity(), "k-1", testKey)
	if err != nil {
		t.Fatal(err)
	}
	_, strangersKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := SignIdentity(testIdentity(), "k-1", strangersKey)
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := SignIdentity(testIdentity(), "k-2", testKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, assertion := range map[string]string{
		"unsigned":           string(encodeIdentity(testIdentity())),
		"empty":              "",
		"another subject":    strings.Replace(valid, "u-1", "u-2", 1),
		"an added scope":     "scope=admin&" + valid,
		"a later field":      valid + "&scope=admin",
		"a second signature": valid + beforeSignature + "AAAA",
		"no key":             strings.Replace(valid, "&key=k-1", "", 1),
		"another key's":      stranger,
		"an unknown key":     unknown,
		"a cut signature":    valid[:len(valid)-1],
		"a line break":       valid + "\n",
		"a hidden name":      strings.Replace(valid, beforeSignature, "&%73ignature=", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := VerifyIdentity(assertion, findTestKey); !errors.Is(err, ErrNotSigned) {
				t.Errorf("error %v, want ErrNotSigned", err)
			}
		})
	}
}

func TestSignWithAnotherAlgorithm(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SignIdentity(testIdentity(), "k-1", key); err == nil {
		t.Error("signed with RSA")
	}
}

func FuzzVerifyIdentity(f *testing.F) {
	valid, err := SignIdentity(testIdentity(), "k-1", testKey)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{valid, "", "&signature=", "key=k-1&signature=AA", valid + "&signature=" + strings.Repeat("A", 86)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, assertion string) {
		if VerifyIdentity(assertion, findTestKey) == nil && assertion != valid {
			t.Errorf("%q is valid", assertion)
		}
	})
}
