package keyring

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// Algorithm names a signature algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1).
type Algorithm string

// Algorithms of keys.
const (
	EdDSA Algorithm = "EdDSA" // with Ed25519
	RS256 Algorithm = "RS256"
)

const (
	newRSABits    = 3072 // of generated keys
	minRSABits    = 2048 // of any key; RFC 7518, section 3.3
	pemPrivateKey = "PRIVATE KEY"
)

// Key signs and verifies with one algorithm.
type Key struct {
	ID        string // the hash of the public key
	Algorithm Algorithm
	Private   crypto.Signer

	file string
}

func generate(algorithm Algorithm) (private crypto.Signer, err error) {
	switch algorithm {
	case EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, newRSABits)
	default:
		err = fmt.Errorf("unknown algorithm %q", algorithm)
	}
	return private, err
}

func encode(private crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), nil
}

func decode(content []byte) (Key, error) {
	block, rest := pem.Decode(content)
	if block == nil || block.Type != pemPrivateKey || len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("not one PKCS#8 private key in PEM")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Key{}, err
	}
	switch private := private.(type) {
	case ed25519.PrivateKey:
		return newKey(EdDSA, private)
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < minRSABits {
			return Key{}, fmt.Errorf("an RSA key of %d bits, want at least %d", bits, minRSABits)
		}
		return newKey(RS256, private)
	default:
		return Key{}, fmt.Errorf("neither an Ed25519 nor an RSA key: %T", private)
	}
}

func newKey(algorithm Algorithm, private crypto.Signer) (Key, error) {
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return Key{}, err
	}
	hash := sha256.Sum256(public)
	return Key{ID: base64.RawURLEncoding.EncodeToString(hash[:]), Algorithm: algorithm, Private: private}, nil
}
