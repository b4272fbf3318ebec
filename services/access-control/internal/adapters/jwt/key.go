package jwt

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm names a signature algorithm (RFC 7518, section 3.1; RFC 8037, section 3.1).
type Algorithm string

// Algorithms that tokens are signed with.
const (
	EdDSA Algorithm = "EdDSA" // with Ed25519
	RS256 Algorithm = "RS256"
)

const (
	newRSABits    = 3072 // of generated keys
	minRSABits    = 2048 // of any key; RFC 7518, section 3.3
	pemPrivateKey = "PRIVATE KEY"
)

// key signs and verifies tokens with one algorithm, whatever a token's header asks for.
type key struct {
	id      string
	method  jwt.SigningMethod
	private crypto.Signer
}

func generateKey(algorithm Algorithm) (private crypto.Signer, err error) {
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

func encodeKey(private crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), nil
}

func decodeKey(id string, content []byte) (key, error) {
	block, rest := pem.Decode(content)
	if block == nil || block.Type != pemPrivateKey || len(bytes.TrimSpace(rest)) > 0 {
		return key{}, errors.New("not one PKCS#8 private key in PEM")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return key{}, err
	}
	switch private := private.(type) {
	case ed25519.PrivateKey:
		return key{id: id, method: jwt.SigningMethodEdDSA, private: private}, nil
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < minRSABits {
			return key{}, fmt.Errorf("an RSA key of %d bits, want at least %d", bits, minRSABits)
		}
		return key{id: id, method: jwt.SigningMethodRS256, private: private}, nil
	default:
		return key{}, fmt.Errorf("neither an Ed25519 nor an RSA key: %T", private)
	}
}
