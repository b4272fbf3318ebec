package jwt

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/keyring"
	"example.com/warren/pkg/service/servicetest"
)

var youngKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))

// TestTokenOfRemovedKey has a token whose signature was verified before.
func TestTokenOfRemovedKey(t *testing.T) {
	directory := t.TempDir()
	writeKey(t, directory, "0001.pem", eddsaKey)
	writeKey(t, directory, "0002.pem", youngKey)
	ring := mustOpen(t, directory, keyring.EdDSA)
	tokens := testTokensAt(t, ring, keyring.EdDSA, func() time.Time { return now })
	if _, err := tokens.Verify(t.Context(), goodToken()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(directory, "0001.pem")); err != nil {
		t.Fatal(err)
	}
	ring.Find("another key, so that the directory is read")
	if _, err := tokens.Verify(t.Context(), goodToken()); !errorIs(err, errUnknownKey) {
		t.Errorf("got %v, want %v", err, errUnknownKey)
	}
}

// A key is published before it signs identities, and then signs those of tokens that were verified before, too.
func TestIdentityKeyIsReplaced(t *testing.T) {
	private, public := t.TempDir(), filepath.Join(t.TempDir(), "public")
	writeKey(t, private, "0001.pem", eddsaKey)
	ring, err := OpenKeys(Config{Keys: private, Algorithm: keyring.EdDSA}, public, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tokens := testTokensAt(t, ring, keyring.EdDSA, func() time.Time { return now })
	verify := func(id string) {
		t.Helper()
		claims, err := tokens.Verify(t.Context(), goodToken())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(claims.Assertion, "&key="+id+"&") {
			t.Errorf("the identity %s is not of the key %s", claims.Assertion, id)
		}
		if _, err := os.Stat(filepath.Join(public, id+".pem")); err != nil {
			t.Error(err)
		}
	}
	verify(eddsaID)
	writeKey(t, private, "0002.next.pem", youngKey)
	if _, ok := ring.Find(keyID(youngKey)); !ok {
		t.Fatal("a new key is unknown")
	}
	verify(eddsaID)
	if _, err := os.Stat(filepath.Join(public, keyID(youngKey)+".pem")); err != nil {
		t.Errorf("before it signs: %v", err)
	}
	if err := os.Rename(filepath.Join(private, "0002.next.pem"), filepath.Join(private, "0002.pem")); err != nil {
		t.Fatal(err)
	}
	awaittest.Until(t, "the new key signs", func() bool {
		ring.Find("another key, so that the directory is read")
		return ring.Signing(keyring.EdDSA).ID == keyID(youngKey)
	})
	verify(keyID(youngKey))
}

// Two replicas that do not share their keys refuse each other's tokens, and say why.
func TestUnknownKeyIsLoggedOnce(t *testing.T) {
	log := new(servicetest.Log)
	tokens, err := NewTokens(Config{Algorithm: keyring.EdDSA, Issuer: issuer, Audience: audience}, mustOpen(t, t.TempDir(), keyring.EdDSA),
		slog.New(slog.NewJSONHandler(log, nil)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := tokens.Verify(t.Context(), goodToken()); !errorIs(err, errUnknownKey) {
			t.Fatalf("got %v, want %v", err, errUnknownKey)
		}
	}
	lines := strings.Count(log.String(), "\n")
	if lines != 1 || !strings.Contains(log.String(), eddsaID) || !strings.Contains(log.String(), "do not share their keys") {
		t.Errorf("logged %q", log)
	}
}

// Anyone can make up key IDs, of any length.
func TestLogOfUnknownKeysIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(servicetest.Log)
		keys := newUnknownKeys(slog.New(slog.NewJSONHandler(log, nil)))
		for i := range 10_000 {
			keys.warn(t.Context(), fmt.Sprint(i)+strings.Repeat("k", 4000))
		}
		if lines := strings.Count(log.String(), "\n"); lines != 10 || len(log.String()) > 10*500 {
			t.Errorf("%d lines of %d bytes, want 10 short ones", lines, len(log.String()))
		}
		<-time.After(time.Minute)
		keys.warn(t.Context(), "genuine")
		if !strings.Contains(log.String(), "genuine") {
			t.Error("an unknown key is not logged a minute later")
		}
		if n := keys.logged.Len(); n > 100 {
			t.Errorf("%d keys are remembered", n)
		}
	})
}
