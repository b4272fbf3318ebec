package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

var (
	eddsaKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	youngKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return mustRSA(minRSABits) })
)

func mustRSA(bits int) *rsa.PrivateKey {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return private
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(directory string, algorithms ...Algorithm) (*Ring, error) {
	return Open(Options{
		Directory: directory, Algorithms: algorithms, Logger: slog.New(slog.DiscardHandler),
		Publish: func([]Key) error { return nil },
	})
}

func mustOpen(t *testing.T, directory string, algorithms ...Algorithm) *Ring {
	t.Helper()
	ring, err := open(directory, algorithms...)
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
	content, err := encode(private)
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
			first := mustOpen(t, directory, test.algorithm)
			if got := mode(t, directory); got != 0o700 {
				t.Errorf("the directory has mode %#o", got)
			}
			if got := mode(t, filepath.Join(directory, test.file)); got != 0o600 {
				t.Errorf("the file has mode %#o", got)
			}
			if again := mustOpen(t, directory, test.algorithm).Signing(test.algorithm); again.ID != first.Signing(test.algorithm).ID {
				t.Errorf("after a restart %s signs, not %s", again.ID, first.Signing(test.algorithm).ID)
			}
		})
	}
}

// Keys that were made in different directories have different IDs, also if their files have the same name.
func TestIDs(t *testing.T) {
	first, second := mustOpen(t, privateDirectory(t), EdDSA).Signing(EdDSA), mustOpen(t, privateDirectory(t), EdDSA).Signing(EdDSA)
	if first.ID == second.ID || first.file != second.file {
		t.Errorf("%s in %s, %s in %s", first.ID, first.file, second.ID, second.file)
	}
	// openssl pkey -in key.pem -pubout -outform DER | openssl dgst -sha256 -binary | basenc --base64url
	const want = "Mkvi3qi8REYbAjPlH6SJAu1rHMZx53Oa8lUeC_5o9U4"
	directory := privateDirectory(t)
	writeKey(t, directory, "any name.pem", mustEncode(t, eddsaKey))
	if got := mustOpen(t, directory, EdDSA).Signing(EdDSA).ID; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestConcurrentFirstStartsMakeOneKey(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "keys")
	rings := make([]*Ring, 16)
	var group errgroup.Group
	for i := range rings {
		group.Go(func() (err error) {
			rings[i], err = open(directory, EdDSA)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, ring := range rings[1:] {
		if !rings[0].Signing(EdDSA).Private.(ed25519.PrivateKey).Equal(ring.Signing(EdDSA).Private) {
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
	tests := []struct {
		name       string
		files      map[string]crypto.Signer
		configured Algorithm
		signs      string
	}{
		{"the only key", map[string]crypto.Signer{"key.pem": eddsaKey}, EdDSA, "key.pem"},
		{"the last name", map[string]crypto.Signer{"1.pem": youngKey, "2.pem": eddsaKey}, EdDSA, "2.pem"},
		{"another algorithm", map[string]crypto.Signer{"1.pem": rsaKey(), "2.pem": eddsaKey}, RS256, "1.pem"},
		{"not yet", map[string]crypto.Signer{"1.pem": eddsaKey, "2.next.pem": youngKey}, EdDSA, "1.pem"},
		{"renamed, in two steps", map[string]crypto.Signer{"1.pem": eddsaKey, "2.next.pem": youngKey, "2.pem": youngKey}, EdDSA, "2.pem"},
		{"the first key not yet", map[string]crypto.Signer{"1.next.pem": eddsaKey}, EdDSA, "0001-eddsa.pem"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			directory := privateDirectory(t)
			for name, private := range test.files {
				writeKey(t, directory, name, mustEncode(t, private))
			}
			writeKey(t, directory, "README", []byte("not a key"))
			writeKey(t, directory, ".new-1.pem", []byte("half a k"))
			ring := mustOpen(t, directory, test.configured)
			if got := ring.Signing(test.configured); got.file != test.signs || got.Algorithm != test.configured {
				t.Errorf("%s signs with %s, want %s", got.file, got.Algorithm, test.signs)
			}
			for name, private := range test.files {
				k, err := newKey("", private)
				if err != nil {
					t.Fatal(err)
				}
				if found, ok := ring.Find(k.ID); !ok || !private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(found.Private.Public()) {
					t.Errorf("%s does not verify", name)
				}
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
		{0o440, 0o700, true}, // a Kubernetes Secret with fsGroup
		{0o640, 0o700, true},
		{0o440, fs.ModeSticky | 0o777, true},
		{0o440, fs.ModeSticky | fs.ModeSetgid | 0o777, true},
		{0o440, 0o550, true},
		{0o660, fs.ModeSetgid | 0o775, true}, // a Kubernetes volume with fsGroup
		{0o660, fs.ModeSetgid | 0o770, true},
		{0o460, 0o700, true},
		{0o600, 0o770, true},
		{0o620, 0o700, false},
		{0o604, 0o700, false},
		{0o644, 0o700, false},
		{0o444, 0o500, false},
		{0o664, fs.ModeSetgid | 0o775, false},
		{0o662, 0o700, false},
		{0o700, 0o700, false},
		{0o600, 0o702, false},
		{0o600, 0o777, false},
		{0o600, fs.ModeSetgid | 0o777, false},
		{0o644, fs.ModeSticky | 0o777, false},
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

			_, err := open(directory, EdDSA)
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
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			directory := privateDirectory(t)
			mustOpen(t, directory, EdDSA)
			writeKey(t, directory, test.file, test.content)

			_, err := open(directory, EdDSA)
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

// Nothing is read that is no file: to open a named pipe would wait for a writer.
func TestOnlyFilesAreRead(t *testing.T) {
	for name, create := range map[string]func(path string) error{
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o600) },
		"device":    func(path string) error { return os.Symlink(os.DevNull, path) },
	} {
		t.Run(name, func(t *testing.T) {
			directory := privateDirectory(t)
			if err := create(filepath.Join(directory, "1.pem")); err != nil {
				t.Fatal(err)
			}
			if _, err := open(directory, EdDSA); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// In a directory that others may write to, a file of another user is none of the service's.
func TestKeyOfAnotherUserIsRefused(t *testing.T) {
	directory := privateDirectory(t)
	writeKey(t, directory, "0001.pem", mustEncode(t, eddsaKey))
	info, err := os.Stat(filepath.Join(directory, "0001.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !isOurs(info) || isOurs(otherOwner{info}) {
		t.Error("the owner is mistaken")
	}
}

// otherOwner is a file of a user who is neither root nor this process's.
type otherOwner struct{ fs.FileInfo }

func (otherOwner) Sys() any { return &syscall.Stat_t{Uid: uint32(os.Geteuid()) + 1} }

// A Kubernetes Secret is a directory of links, which are replaced at once.
func TestMountedSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := privateDirectory(t)
		mount := func(version string, files map[string]crypto.Signer) {
			t.Helper()
			if err := os.Mkdir(filepath.Join(directory, ".."+version), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, private := range files {
				writeKey(t, filepath.Join(directory, ".."+version), name, mustEncode(t, private))
				err := os.Symlink(filepath.Join("..data", name), filepath.Join(directory, name))
				if err != nil && !errors.Is(err, fs.ErrExist) {
					t.Fatal(err)
				}
			}
			temporary := filepath.Join(directory, "..data_tmp")
			err := errors.Join(os.Symlink(".."+version, temporary), os.Rename(temporary, filepath.Join(directory, "..data")))
			if err != nil {
				t.Fatal(err)
			}
		}
		mount("1", map[string]crypto.Signer{"a.pem": eddsaKey})
		ring := mustOpen(t, directory, EdDSA)
		ring.Start()
		mount("2", map[string]crypto.Signer{"a.pem": eddsaKey, "b.pem": youngKey})
		<-time.After(interval)
		synctest.Wait()
		if got := ring.Signing(EdDSA).file; got != "b.pem" {
			t.Errorf("%s signs", got)
		}
		ring.Stop()
	})
}

// TestRotation replaces a key in two replicas that get their files one after the other. What either signs, both verify at any
// time.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replicas := []string{privateDirectory(t), privateDirectory(t)}
		rings := make([]*Ring, len(replicas))
		for i, directory := range replicas {
			writeKey(t, directory, "0001.pem", mustEncode(t, eddsaKey))
			rings[i] = mustOpen(t, directory, EdDSA)
			rings[i].Start()
		}
		check := func(step string, want ...string) {
			t.Helper()
			<-time.After(interval)
			synctest.Wait()
			for i, ring := range rings {
				if got := ring.Signing(EdDSA).file; got != want[i] {
					t.Errorf("%s: %s signs in replica %d, want %s", step, got, i, want[i])
				}
				for _, other := range rings {
					if _, ok := other.keys.Load().byID[ring.Signing(EdDSA).ID]; !ok {
						t.Errorf("%s: a replica does not know the key that signs in replica %d", step, i)
					}
				}
			}
		}
		rename := func(directory string) {
			t.Helper()
			if err := os.Rename(filepath.Join(directory, "0002.next.pem"), filepath.Join(directory, "0002.pem")); err != nil {
				t.Fatal(err)
			}
		}
		check("before", "0001.pem", "0001.pem")
		writeKey(t, replicas[0], "0002.next.pem", mustEncode(t, youngKey))
		check("added to one", "0001.pem", "0001.pem")
		writeKey(t, replicas[1], "0002.next.pem", mustEncode(t, youngKey))
		check("added to both", "0001.pem", "0001.pem")
		rename(replicas[1])
		check("renamed in one", "0001.pem", "0002.pem")
		rename(replicas[0])
		check("renamed in both", "0002.pem", "0002.pem")
		for i, directory := range replicas {
			if err := os.Remove(filepath.Join(directory, "0001.pem")); err != nil {
				t.Fatal(err)
			}
			check("removed", "0002.pem", "0002.pem")
			old, err := newKey(EdDSA, eddsaKey)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := rings[i].Find(old.ID); ok {
				t.Error("a removed key verifies")
			}
			rings[i].Stop()
		}
	})
}

// A directory that lacks one key of several gets that key.
func TestMissingKeyIsMade(t *testing.T) {
	directory := privateDirectory(t)
	writeKey(t, directory, "key.pem", mustEncode(t, rsaKey()))
	ring := mustOpen(t, directory, RS256, EdDSA)
	if rs, ed := ring.Signing(RS256).file, ring.Signing(EdDSA).file; rs != "key.pem" || ed != "0001-eddsa.pem" {
		t.Errorf("%s and %s sign", rs, ed)
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A key is published before it is used, in any way, and not used while that fails.
func TestPublish(t *testing.T) {
	directory := privateDirectory(t)
	writeKey(t, directory, "0001.pem", mustEncode(t, eddsaKey))
	var (
		ring      *Ring
		published []string
		failure   = errors.New("disk full")
	)
	options := Options{
		Directory: directory, Algorithms: []Algorithm{EdDSA}, Logger: slog.New(slog.DiscardHandler),
		Publish: func(keys []Key) error {
			for _, k := range keys {
				if ring != nil && k.file == "0002.pem" && ring.Signing(EdDSA).file == k.file {
					t.Error("a key signs before it is published")
				}
				published = append(published, k.file)
			}
			return failure
		},
	}
	if _, err := Open(options); !errors.Is(err, failure) {
		t.Fatalf("got %v", err)
	}
	failure, published = nil, nil
	ring, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	failure = errors.New("disk full")
	writeKey(t, directory, "0002.pem", mustEncode(t, youngKey))
	ring.reload(0)
	if got := ring.Signing(EdDSA).file; got != "0001.pem" {
		t.Errorf("%s signs, which is not published", got)
	}
	failure = nil
	ring.reload(0)
	if got := ring.Signing(EdDSA).file; got != "0002.pem" {
		t.Errorf("%s signs", got)
	}
	want := []string{"0001.pem", "0001.pem", "0002.pem", "0001.pem", "0002.pem"}
	if !slices.Equal(published, want) {
		t.Errorf("published %v, want %v", published, want)
	}
}

// Replicas that share a directory find a key that signs at once, without the first step.
func TestUnknownIDIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := privateDirectory(t)
		ring := mustOpen(t, directory, EdDSA)
		add := func(name string, private crypto.Signer) (id string) {
			t.Helper()
			writeKey(t, directory, name, mustEncode(t, private))
			k, err := newKey("", private)
			if err != nil {
				t.Fatal(err)
			}
			return k.ID
		}
		young := add("0002.pem", youngKey)
		if _, ok := ring.Find(young); !ok {
			t.Error("a new key is unknown")
		}
		old := add("0003.pem", eddsaKey)
		if _, ok := ring.Find(old); ok {
			t.Error("the directory was read twice in a second")
		}
		<-time.After(lookupInterval)
		if _, ok := ring.Find(old); !ok {
			t.Error("a second later the new key is unknown")
		}
	})
}

// While the files can't be used, the previous keys stay in use. The log says so once.
func TestUnusableFilesChangeNothing(t *testing.T) {
	tests := map[string]func(t *testing.T, directory string){
		"half a key": func(t *testing.T, directory string) {
			writeKey(t, directory, "0002.pem", mustEncode(t, youngKey)[:50])
		},
		"no key that signs": func(t *testing.T, directory string) {
			if err := os.Rename(filepath.Join(directory, "0001.pem"), filepath.Join(directory, "0001.next.pem")); err != nil {
				t.Fatal(err)
			}
		},
		"a key for all to read": func(t *testing.T, directory string) {
			if err := os.Chmod(filepath.Join(directory, "0001.pem"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"a directory for all to write": func(t *testing.T, directory string) {
			if err := os.Chmod(directory, 0o777); err != nil {
				t.Fatal(err)
			}
		},
		"no directory": func(t *testing.T, directory string) {
			if err := os.RemoveAll(directory); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(bytes.Buffer)
				directory := privateDirectory(t)
				writeKey(t, directory, "0001.pem", mustEncode(t, eddsaKey))
				ring, err := Open(Options{
					Directory: directory, Algorithms: []Algorithm{EdDSA}, Logger: slog.New(slog.NewTextHandler(log, nil)),
					Publish: func([]Key) error { return nil },
				})
				if err != nil {
					t.Fatal(err)
				}
				log.Reset()
				spoil(t, directory)
				ring.Start()
				<-time.After(5 * interval)
				ring.Stop()
				if got := ring.Signing(EdDSA).file; got != "0001.pem" {
					t.Errorf("%s signs", got)
				}
				if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), directory) {
					t.Errorf("logged %q", log)
				}
			})
		})
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	if _, err := open(filepath.Join(t.TempDir(), "keys"), "none"); err == nil {
		t.Error("made a key for the algorithm none")
	}
}

func TestKeyDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(file, EdDSA); err == nil {
		t.Error("a file is taken for a directory")
	}
}
