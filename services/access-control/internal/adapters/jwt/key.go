package jwt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is how tokens are signed (RFC 7518, section 3.1; RFC 8037, section 3.1).
type Algorithm string

// The algorithms.
const (
	EdDSA Algorithm = "EdDSA" // Ed25519
	RS256 Algorithm = "RS256"
	HS256 Algorithm = "HS256" // symmetric: whoever can verify a token can make one
)

const (
	newRSABits    = 3072 // of keys made here
	minRSABits    = 2048 // of keys found; RFC 7518, section 3.3
	secretBytes   = 32   // at least; RFC 7518, section 3.2
	pemPrivateKey = "PRIVATE KEY"
)

// key verifies tokens with one algorithm, whatever their headers ask for.
type key struct {
	id        string
	method    jwt.SigningMethod
	signing   any // what the method signs with
	verifying any // what the method verifies with
}

func (k key) algorithm() Algorithm { return Algorithm(k.method.Alg()) }

// newKeyFile returns what is in the file of a new key.
func newKeyFile(algorithm Algorithm) ([]byte, error) {
	switch algorithm {
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return encodePrivateKey(private)
	case RS256:
		private, err := rsa.GenerateKey(rand.Reader, newRSABits)
		if err != nil {
			return nil, err
		}
		return encodePrivateKey(private)
	case HS256:
		secret := make([]byte, secretBytes)
		if _, err := rand.Read(secret); err != nil {
			return nil, err
		}
		return []byte(base64.StdEncoding.EncodeToString(secret) + "\n"), nil
	default:
		return nil, fmt.Errorf("unknown algorithm %q", algorithm)
	}
}

func encodePrivateKey(private any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), nil
}

func parsePrivateKey(id string, content []byte) (key, error) {
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
		return key{id: id, method: jwt.SigningMethodEdDSA, signing: private, verifying: private.Public()}, nil
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < minRSABits {
			return key{}, fmt.Errorf("an RSA key of %d bits, %d are needed", bits, minRSABits)
		}
		return key{id: id, method: jwt.SigningMethodRS256, signing: private, verifying: private.Public()}, nil
	default:
		return key{}, fmt.Errorf("neither an Ed25519 nor an RSA key: %T", private)
	}
}

func parseSecret(id string, content []byte) (key, error) {
	secret, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(content)))
	if err != nil {
		return key{}, errors.New("not in base64")
	}
	if len(secret) < secretBytes {
		return key{}, fmt.Errorf("a secret of %d bytes, %d are needed", len(secret), secretBytes)
	}
	return key{id: id, method: jwt.SigningMethodHS256, signing: secret, verifying: secret}, nil
}
