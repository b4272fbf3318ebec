// Package jwt issues and verifies access tokens: JSON Web Tokens (RFC 7519), following the best current practices of
// RFC 8725.
//
// # Keys
//
// Keys are PKCS#8 files in PEM with an Ed25519 or RSA private key, named <kid>.pem, all in one directory. Key files
// must have mode 0600, and no other user may write to the directory. [LoadKeyRing] makes a key of the configured
// algorithm if there is none.
//
// Every key verifies tokens, with its own algorithm only. Of the keys of the configured algorithm, the one whose kid
// sorts last signs. To replace a key, put a new file beside the old one, restart, and remove the old file once the last
// token of the old key has expired:
//
//	(umask 077; openssl genpkey -algorithm ed25519 -out keys/0002-eddsa.pem)
//
// Keys are read at start only. Replicas must share them: during a rolling restart, a replica that still runs with the
// old keys rejects tokens of the new one.
package jwt
