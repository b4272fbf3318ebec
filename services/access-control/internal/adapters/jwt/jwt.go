// Package jwt issues and verifies access tokens: JSON Web Tokens (RFC 7519), following the best current practices of
// RFC 8725. Its keys are those of package keyring.
package jwt
