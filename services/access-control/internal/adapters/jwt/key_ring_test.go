package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func mustLoad(t *testing.T, directory string, algorithm Algorithm) *KeyRing {
	t.Helper()
	ring, err := LoadKeyRing(Config{Keys: directory, Algorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func writeKey(t *testing.T, directory, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustEncode(t *testing.T, private crypto.Signer) []byte {
	t.Helper()
	content, err := encodeKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func privateDirectory(t *testing.T) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	return directory
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestFirstStartMakesKey(t *testing.T) {
	tests := []struct {
		algorithm Algorithm
		file      string
	}{
		{EdDSA, "0001-eddsa.pem"},
		{RS256, "0001-rs256.pem"},
	}
	for _, test := range tests {
		t.Run(string(test.algorithm), func(t *testing.T) {
			directory := filepath.Join(t.TempDir(), "service", "keys")
			first := mustLoad(t, directory, test.algorithm)
			if got := mode(t, directory); got != 0o700 {
				t.Errorf("the directory has mode %#o", got)
			}
			if got := mode(t, filepath.Join(directory, test.file)); got != 0o600 {
				t.Errorf("the file has mode %#o", got)
			}

			token, err := testTokens(t, first).Sign(testClaims())
			if err != nil {
				t.Fatal(err)
			}
			second := mustLoad(t, directory, test.algorithm)
			if _, err := testTokens(t, second).Verify(token); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

func TestConcurrentFirstStartsMakeOneKey(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "keys")
	rings := make([]*KeyRing, 16)
	var group errgroup.Group
	for i := range rings {
		group.Go(func() (err error) {
			rings[i], err = LoadKeyRing(Config{Keys: directory, Algorithm: EdDSA})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, ring := range rings[1:] {
		if !rings[0].signing.private.(ed25519.PrivateKey).Equal(ring.signing.private) {
			t.Fatal("two processes sign with different keys")
		}
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files: %v", len(entries), entries)
	}
}

func TestKeysThatLoad(t *testing.T) {
	young := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	wantAll := []string{"0001-eddsa", "0001-rs256", "0002-eddsa"}
	tests := []struct {
		configured Algorithm
		wantSigns  string
	}{
		{EdDSA, "0002-eddsa"},
		{RS256, "0001-rs256"},
	}
	for _, test := range tests {
		t.Run(string(test.configured), func(t *testing.T) {
			directory := privateDirectory(t)
			writeKey(t, directory, "0001-eddsa.pem", mustEncode(t, eddsaKey))
			writeKey(t, directory, "0002-eddsa.pem", mustEncode(t, young))
			writeKey(t, directory, "0001-rs256.pem", mustEncode(t, rsaKey()))
			writeKey(t, directory, "README", []byte("not a key"))
			writeKey(t, directory, ".new-1.pem", []byte("half a k"))

			ring := mustLoad(t, directory, test.configured)
			if diff := cmp.Diff(wantAll, slices.Sorted(maps.Keys(ring.byID))); diff != "" {
				t.Error(diff)
			}
			if got := ring.SigningKeyID(); got != test.wantSigns {
				t.Errorf("%s signs, want %s", got, test.wantSigns)
			}
		})
	}
}

func TestKeysThatOthersCanReachAreRefused(t *testing.T) {
	tests := []struct {
		file, directory fs.FileMode
		ok              bool
	}{
		{0o600, 0o700, true},
		{0o400, 0o500, true},
		{0o600, 0o755, true},
		{0o640, 0o700, false},
		{0o620, 0o700, false},
		{0o604, 0o700, false},
		{0o644, 0o700, false},
		{0o700, 0o700, false},
		{0o600, 0o770, false},
		{0o600, 0o702, false},
		{0o600, 0o777, false},
	}
	for _, test := range tests {
		t.Run(test.file.String()+test.directory.String(), func(t *testing.T) {
			directory := privateDirectory(t)
			writeKey(t, directory, "0001-eddsa.pem", mustEncode(t, eddsaKey))
			if err := os.Chmod(filepath.Join(directory, "0001-eddsa.pem"), test.file); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(directory, test.directory); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(directory, 0o700) })

			_, err := LoadKeyRing(Config{Keys: directory, Algorithm: EdDSA})
			if test.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "chmod") || !strings.Contains(err.Error(), directory) {
				t.Errorf("got %v, want an error that says what to do", err)
			}
		})
	}
}

func TestKeysThatCannotBeUsedAreRefused(t *testing.T) {
	private := mustEncode(t, eddsaKey)
	public, err := x509.MarshalPKIXPublicKey(eddsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())})
	tests := []struct {
		name, file string
		content    []byte
	}{
		{"empty", "1.pem", nil},
		{"not PEM", "1.pem", []byte("hello")},
		{"not PKCS#8 within", "1.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hello")})},
		{"PKCS#1", "1.pem", pkcs1},
		{"a public key", "1.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})},
		{"two keys", "1.pem", append(bytes.Clone(private), private...)},
		{"something behind", "1.pem", append(bytes.Clone(private), "hello"...)},
		{"an elliptic curve", "1.pem", mustEncode(t, curve)},
		{"a short RSA key", "1.pem", mustEncode(t, mustRSA(1024))},
		{"a name with a space", "my key.pem", private},
		{"a name that is too long", strings.Repeat("k", 65) + ".pem", private},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			directory := privateDirectory(t)
			mustLoad(t, directory, EdDSA)
			writeKey(t, directory, test.file, test.content)

			_, err := LoadKeyRing(Config{Keys: directory, Algorithm: EdDSA})
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), directory) {
				t.Errorf("the error does not name the file: %v", err)
			}
			for line := range strings.Lines(string(test.content)) {
				if len(line) > 20 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), strings.TrimSpace(line)) {
					t.Errorf("the error has the key: %v", err)
				}
			}
		})
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	if _, err := LoadKeyRing(Config{Keys: filepath.Join(t.TempDir(), "keys"), Algorithm: "none"}); err == nil {
		t.Error("made a key for the algorithm none")
	}
}

func TestKeyDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyRing(Config{Keys: file, Algorithm: EdDSA}); err == nil {
		t.Error("a file is taken for a directory")
	}
}
