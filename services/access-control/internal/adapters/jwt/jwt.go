// Package jwt signs and verifies access tokens: JSON Web Tokens (RFC 7519), after the best current practices of
// RFC 8725.
//
// # Keys
//
// Keys are files in one directory, which nobody else may write to, with mode 0600. A private key is a PKCS#8 file in
// PEM, Ed25519 or RSA, <kid>.pem; a secret for HS256 is in base64, <kid>.secret, and is read only if HS256 is the
// configured algorithm. At first start a key of the configured algorithm is made.
//
// All keys verify, each with its own algorithm alone. Of the configured algorithm's keys, the one whose kid sorts last
// signs. So a key is replaced in three steps: put a new file beside the old one, restart, and remove the old file once
// the last token of the old key has expired:
//
//	(umask 077; openssl genpkey -algorithm ed25519 -out keys/0002-eddsa.pem)
//	(umask 077; openssl rand -base64 32 > keys/0002-hs256.secret)
//
// Keys are read at start only. Replicas must share them; while some have yet to restart, they refuse tokens of the
// new key.
package jwt
