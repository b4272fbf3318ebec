package protocol

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrNotSigned means that an identity has no valid signature of a known key.
var ErrNotSigned = errors.New("identity not signed")

// signatureDomain comes before what is signed, so that no signature of the same key for another purpose is valid here.
const signatureDomain = headerIdentity + "\n"

// beforeSignature ends what is signed: the signature is the last field of the form.
const beforeSignature = "&" + identitySignature + "="

// SignIdentity returns the assertion of i: its form with the ID of an Ed25519 key and that key's signature (RFC 8032).
func SignIdentity(i *Identity, keyID string, key crypto.Signer) (string, error) {
	signed := encodeIdentity(i).add(identityKey, keyID)
	if _, ok := key.Public().(ed25519.PublicKey); !ok {
		return "", fmt.Errorf("sign identity: key %s is %T, not Ed25519", keyID, key)
	}
	signature, err := key.Sign(nil, append([]byte(signatureDomain), signed...), crypto.Hash(0))
	if err != nil {
		return "", fmt.Errorf("sign identity: %w", err)
	}
	return string(signed) + beforeSignature + base64.RawURLEncoding.EncodeToString(signature), nil
}

// VerifyIdentity checks the signature of an assertion. find returns the public key with an ID, or nil if there is none. The error
// wraps ErrNotSigned.
func VerifyIdentity(assertion string, find func(keyID string) ed25519.PublicKey) error {
	end := strings.LastIndex(assertion, beforeSignature)
	if end < 0 {
		return fmt.Errorf("%w: no signature", ErrNotSigned)
	}
	signed, encoded := assertion[:end], assertion[end+len(beforeSignature):]
	signature, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
		return fmt.Errorf("%w: not base64url", ErrNotSigned)
	}
	var keyID string
	if err := parseForm(signed, func(name, value string) {
		if name == identityKey {
			keyID = value
		}
	}); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSigned, err)
	}
	key := find(keyID)
	if key == nil {
		return fmt.Errorf("%w: unknown key %q", ErrNotSigned, keyID)
	}
	if !ed25519.Verify(key, append([]byte(signatureDomain), signed...), signature) {
		return fmt.Errorf("%w: wrong signature of key %q", ErrNotSigned, keyID)
	}
	return nil
}
