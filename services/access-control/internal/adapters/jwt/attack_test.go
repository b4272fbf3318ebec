package jwt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/warren/pkg/keyring"
	"example.com/warren/pkg/rpc"
	"example.com/warren/services/access-control/internal/domain"
)

type attack struct {
	name  string
	token string
	want  error // the domain's error
	cause error // of the check that must have rejected the token; nil: any
}

func errorIs(err, target error) bool {
	if target == nil {
		return err == nil
	}
	return errors.Is(err, target)
}

// TestAttacks tries every attack with either algorithm configured.
func TestAttacks(t *testing.T) {
	for _, configured := range []keyring.Algorithm{keyring.EdDSA, keyring.RS256} {
		t.Run(string(configured), func(t *testing.T) {
			tokens := testTokens(t, configured)
			for _, attack := range attacks(t) {
				t.Run(attack.name, func(t *testing.T) {
					if _, err := tokens.Verify(t.Context(), goodToken()); err != nil {
						t.Fatalf("the good token is rejected: %v", err)
					}
					claims, err := tokens.Verify(t.Context(), attack.token)
					if err == nil {
						t.Fatalf("accepted: %+v", claims)
					}
					if !errors.Is(err, attack.want) {
						t.Errorf("got %v, want %v", err, attack.want)
					}
					if attack.cause != nil && !errors.Is(err, attack.cause) {
						t.Errorf("got %v, want the cause %v", err, attack.cause)
					}
					if claims.Subject != "" || claims.Username != "" {
						t.Errorf("got claims and an error: %+v", claims)
					}
					if _, ok := tokens.verified.get(attack.token); ok {
						t.Error("the token is remembered as valid")
					}
					for part := range strings.SplitSeq(attack.token, ".") {
						if len(part) > 8 && strings.Contains(err.Error(), part) {
							t.Errorf("the error has a part of the token: %v", err)
						}
					}
				})
			}
		})
	}
}

func attacks(t testing.TB) []attack {
	t.Helper()
	all := algorithmAttacks(t)
	all = append(all, keyAttacks()...)
	all = append(all, headerAttacks()...)
	all = append(all, claimAttacks()...)
	all = append(all, tamperAttacks()...)
	return append(all, formAttacks()...)
}

// Algorithm confusion: the attacker chooses alg, and signs with what a verifier might take for the key.
func algorithmAttacks(t testing.TB) []attack {
	header, payload := goodHeader(), goodPayload()
	der, err := x509.MarshalPKIXPublicKey(eddsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	asPEM := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}) }
	hs256 := with(header, "alg", "HS256")
	confusion := jwt.ErrTokenSignatureInvalid // the parser's error for an algorithm that is not allowed
	invalid := domain.ErrTokenInvalid
	all := []attack{
		{"HS256 with the public key", makeToken(hs256, payload, byHS256(eddsaKey.Public().(ed25519.PublicKey))), invalid, confusion},
		{"HS256 with the public key in DER", makeToken(hs256, payload, byHS256(der)), invalid, confusion},
		{"HS256 with the public key in PEM", makeToken(hs256, payload, byHS256(asPEM(der))), invalid, confusion},
		{"HS256 with the RSA public key in DER", makeToken(with(hs256, "kid", rs256ID()), payload, byHS256(rsaDER)), invalid, confusion},
		{"HS256 with the RSA public key in PEM", makeToken(with(hs256, "kid", rs256ID()), payload, byHS256(asPEM(rsaDER))), invalid, confusion},
		{"HS256 with an empty secret", makeToken(hs256, payload, byHS256(nil)), invalid, confusion},
		{"HS256 with the attacker's secret", makeToken(hs256, payload, byHS256(bytes.Repeat([]byte{9}, 32))), invalid, confusion},
		{"RS256 with the kid of an EdDSA key", makeToken(with(header, "alg", "RS256"), payload, byRS256(rsaKey())), invalid, errOtherAlgorithm},
		{"EdDSA with the kid of an RSA key", makeToken(with(header, "kid", rs256ID()), payload, byEdDSA(eddsaKey)), invalid, errOtherAlgorithm},
		{"RS512 with the RSA key", makeToken(object{"alg": "RS512", "kid": rs256ID(), "typ": "JWT"}, payload, byRS256(rsaKey())), invalid,
			jwt.ErrTokenSignatureInvalid},
		{"PS256 with the RSA key", makeToken(object{"alg": "PS256", "kid": rs256ID(), "typ": "JWT"}, payload, byRS256(rsaKey())), invalid,
			jwt.ErrTokenSignatureInvalid},
		{"alg in lower case", makeToken(with(header, "alg", "eddsa"), payload, byEdDSA(eddsaKey)), invalid, jwt.ErrTokenUnverifiable},
		{"alg missing", makeToken(without(header, "alg"), payload, byEdDSA(eddsaKey)), invalid, jwt.ErrTokenUnverifiable},
		{"alg empty", makeToken(with(header, "alg", ""), payload, byEdDSA(eddsaKey)), invalid, jwt.ErrTokenUnverifiable},
		{"alg not a string", makeToken(with(header, "alg", []string{"EdDSA"}), payload, byEdDSA(eddsaKey)), invalid, jwt.ErrTokenUnverifiable},
	}
	for _, none := range casings("none") {
		all = append(all,
			attack{"alg " + none, makeToken(with(header, "alg", none), payload, noSignature), invalid, nil},
			attack{"alg " + none + " with a signature", makeToken(with(header, "alg", none), payload, byEdDSA(eddsaKey)), invalid, nil},
			attack{"alg " + none + " without kid", makeToken(object{"alg": none, "typ": "JWT"}, payload, noSignature), invalid, nil},
		)
	}
	return all
}

// casings returns word in every mix of upper and lower case.
func casings(word string) []string {
	all := []string{""}
	for _, r := range word {
		var longer []string
		for _, start := range all {
			longer = append(longer, start+string(r), start+strings.ToUpper(string(r)))
		}
		all = longer
	}
	return all
}

func keyAttacks() []attack {
	header, payload := goodHeader(), goodPayload()
	another := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	all := []attack{
		{"another key", makeToken(header, payload, byEdDSA(another)), domain.ErrTokenInvalid, jwt.ErrTokenSignatureInvalid},
		{"kid missing", makeToken(without(header, "kid"), payload, byEdDSA(eddsaKey)), domain.ErrTokenInvalid, errUnknownKey},
	}
	for _, kid := range []any{
		"", "unknown", eddsaID + ".pem", "./" + eddsaID, "../keys/" + eddsaID, "../../../../../../dev/null", "/dev/null",
		eddsaID + "\x00", "' UNION SELECT 'secret' --", "1; DROP TABLE users", "http://127.0.0.1/key", "file:///dev/null",
		"| cat /etc/passwd", "${jndi:ldap://127.0.0.1/a}", strings.Repeat("k", 4000), strings.ToUpper(eddsaID), " " + eddsaID,
		nil, 1, true, []string{eddsaID}, object{"id": eddsaID},
	} {
		name := "kid " + string(encode(object{"is": kid}))
		token := makeToken(with(header, "kid", kid), payload, byEdDSA(eddsaKey))
		all = append(all, attack{name[:min(len(name), 60)], token, domain.ErrTokenInvalid, errUnknownKey})
	}
	return all
}

// All but one of these have a valid signature: they must be rejected because of their header.
func headerAttacks() []attack {
	another := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	jwk := object{"kty": "OKP", "crv": "Ed25519", "x": segment(another.Public().(ed25519.PublicKey))}
	payload := goodPayload()
	all := []attack{
		{"typ of another token", makeToken(with(goodHeader(), "typ", "secevent+jwt"), payload, byEdDSA(eddsaKey)),
			domain.ErrTokenInvalid, errHeader},
		{"typ missing", makeToken(without(goodHeader(), "typ"), payload, byEdDSA(eddsaKey)), domain.ErrTokenInvalid, errHeader},
		{"embedded jwk of another key", makeToken(with(goodHeader(), "jwk", jwk), payload, byEdDSA(another)),
			domain.ErrTokenInvalid, errHeader},
		{"unencoded payload", makeToken(with(with(goodHeader(), "b64", false), "crit", []string{"b64"}), payload, byEdDSA(eddsaKey)),
			domain.ErrTokenInvalid, errHeader},
	}
	for name, value := range map[string]any{
		"crit":     []string{"exp"},
		"jwk":      jwk,
		"jku":      "http://127.0.0.1/keys.json",
		"x5u":      "http://127.0.0.1/cert.pem",
		"x5c":      []string{base64.StdEncoding.EncodeToString([]byte("certificate"))},
		"x5t#S256": segment(make([]byte, 32)),
		"zip":      "DEF",
		"cty":      "JWT",
		"b64":      true,
	} {
		token := makeToken(with(goodHeader(), name, value), payload, byEdDSA(eddsaKey))
		all = append(all, attack{"header " + name, token, domain.ErrTokenInvalid, errHeader})
	}
	for name, crit := range map[string]any{"empty": []string{}, "null": nil, "of alg": []string{"alg"}, "a string": "exp"} {
		token := makeToken(with(goodHeader(), "crit", crit), payload, byEdDSA(eddsaKey))
		all = append(all, attack{"crit " + name, token, domain.ErrTokenInvalid, errHeader})
	}
	return all
}

// These have a valid signature too: a token that this service signed need not be an access token of this system.
func claimAttacks() []attack {
	invalid, malformed, missing := domain.ErrTokenInvalid, domain.ErrTokenMalformed, jwt.ErrTokenRequiredClaimMissing
	signed := func(payload any) string { return makeToken(goodHeader(), payload, byEdDSA(eddsaKey)) }
	good := goodPayload()
	past, future := now.Add(-time.Hour).Unix(), now.Add(time.Hour).Unix()
	return []attack{
		{"exp missing", signed(without(good, "exp")), invalid, missing},
		{"exp null", signed(with(good, "exp", nil)), invalid, missing},
		{"exp a string", signed(with(good, "exp", "tomorrow")), malformed, jwt.ErrTokenMalformed},
		{"exp negative", signed(with(good, "exp", -1)), domain.ErrTokenExpired, jwt.ErrTokenExpired},
		{"expired", signed(with(good, "exp", past)), domain.ErrTokenExpired, jwt.ErrTokenExpired},
		{"not yet valid", signed(with(good, "nbf", future)), domain.ErrTokenNotYetValid, jwt.ErrTokenNotValidYet},
		{"issued in the future", signed(with(good, "iat", future)), domain.ErrTokenNotYetValid, jwt.ErrTokenUsedBeforeIssued},
		{"iat missing", signed(without(good, "iat")), invalid, missing},
		{"iss missing", signed(without(good, "iss")), invalid, missing},
		{"iss empty", signed(with(good, "iss", "")), invalid, missing},
		{"iss of another", signed(with(good, "iss", "somebody")), invalid, jwt.ErrTokenInvalidIssuer},
		{"iss in capitals", signed(with(good, "iss", strings.ToUpper(issuer))), invalid, jwt.ErrTokenInvalidIssuer},
		{"iss a list", signed(with(good, "iss", []string{issuer})), malformed, jwt.ErrTokenMalformed},
		{"aud missing", signed(without(good, "aud")), invalid, missing},
		{"aud empty", signed(with(good, "aud", []string{})), invalid, missing},
		{"aud for another", signed(with(good, "aud", []string{"somebody"})), invalid, jwt.ErrTokenInvalidAudience},
		{"aud starts the same", signed(with(good, "aud", audience+".example")), invalid, jwt.ErrTokenInvalidAudience},
		{"jti missing", signed(without(good, "jti")), invalid, missing},
		{"jti empty", signed(with(good, "jti", "")), invalid, missing},
		{"sub missing", signed(without(good, "sub")), invalid, missing},
		{"expired, by another issuer", signed(with(with(good, "exp", past), "iss", "somebody")), invalid, jwt.ErrTokenInvalidIssuer},
		{"payload null", signed("null"), invalid, missing},
		{"payload an empty object", signed(object{}), invalid, missing},
		{"payload a list", signed("[]"), malformed, jwt.ErrTokenMalformed},
		{"payload not JSON", signed("hello"), malformed, jwt.ErrTokenMalformed},
		{"payload with something behind it", signed(string(encode(good)) + "{}"), malformed, jwt.ErrTokenMalformed},
	}
}

func tamperAttacks() []attack {
	parts := strings.Split(goodToken(), ".")
	header, payload, signed := parts[0], parts[1], parts[2]
	signedBytes := byEdDSA(eddsaKey)(header + "." + payload)
	flipped := func(i int) string {
		content := bytes.Clone(signedBytes)
		content[i] ^= 1
		return segment(content)
	}
	admin := segment(encode(with(goodPayload(), "scope", "orders:all")))
	later := segment(encode(with(goodPayload(), "exp", now.Add(24*time.Hour).Unix())))
	sameSignature := func(header, payload string) string { return header + "." + payload + "." + signed }
	otherHeader := segment([]byte(`{"typ":"JWT","kid":"` + eddsaID + `","alg":"EdDSA"}`))
	// 64 bytes leave the last two bits of the base64 unused: a lax decoder accepts four different last characters.
	sibling := map[byte]string{'A': "B", 'Q': "R", 'g': "h", 'w': "x"}[signed[len(signed)-1]]

	invalid, bad := domain.ErrTokenInvalid, jwt.ErrTokenSignatureInvalid
	return []attack{
		{"payload with more scopes", sameSignature(header, admin), invalid, bad},
		{"payload that lasts longer", sameSignature(header, later), invalid, bad},
		{"header in another order", sameSignature(otherHeader, payload), invalid, bad},
		{"signature's first byte", header + "." + payload + "." + flipped(0), invalid, bad},
		{"signature's last byte", header + "." + payload + "." + flipped(ed25519.SignatureSize-1), invalid, bad},
		{"signature cut", header + "." + payload + "." + segment(signedBytes[:ed25519.SignatureSize-1]), invalid, bad},
		{"signature longer", header + "." + payload + "." + segment(append(bytes.Clone(signedBytes), 0)), invalid, bad},
		{"signature of zeros", header + "." + payload + "." + segment(make([]byte, ed25519.SignatureSize)), invalid, bad},
		{"signature empty", header + "." + payload + ".", invalid, bad},
		{"signature with its unused bits set", header + "." + payload + "." + signed[:len(signed)-1] + sibling,
			domain.ErrTokenMalformed, jwt.ErrTokenMalformed},
	}
}

func formAttacks() []attack {
	good := goodToken()
	parts := strings.Split(good, ".")
	malformed := domain.ErrTokenMalformed
	huge := makeToken(goodHeader(), with(goodPayload(), "padding", strings.Repeat("x", rpc.MaxTokenBytes)), byEdDSA(eddsaKey))
	signed := func(header any) string { return makeToken(header, goodPayload(), byEdDSA(eddsaKey)) }
	return []attack{
		{"empty", "", malformed, jwt.ErrTokenMalformed},
		{"no segments", "hello", malformed, jwt.ErrTokenMalformed},
		{"only dots", "..", malformed, jwt.ErrTokenMalformed},
		{"many dots", strings.Repeat(".", rpc.MaxTokenBytes), malformed, jwt.ErrTokenMalformed},
		{"two segments", parts[0] + "." + parts[1], malformed, jwt.ErrTokenMalformed},
		{"a segment more", good + ".", malformed, jwt.ErrTokenMalformed},
		{"a segment twice", good + "." + parts[2], malformed, jwt.ErrTokenMalformed},
		{"the token twice", good + "." + good, malformed, jwt.ErrTokenMalformed},
		{"five segments, as an encrypted token has", parts[0] + "....", malformed, jwt.ErrTokenMalformed},
		{"a long token of one segment", strings.Repeat("A", rpc.MaxTokenBytes), malformed, jwt.ErrTokenMalformed},
		{"a good signature on a huge token", huge, malformed, errTooLarge},
		{"a huge token of one segment", strings.Repeat("A", 1<<20), malformed, errTooLarge},
		{"a line break behind", good + "\n", malformed, errCharacters},
		{"a line break within", good[:len(good)-10] + "\r\n" + good[len(good)-10:], malformed, errCharacters},
		{"a space before", " " + good, malformed, errCharacters},
		{"a NUL behind", good + "\x00", malformed, errCharacters},
		{"padding", good + "==", malformed, errCharacters},
		{"the other base64", strings.Join([]string{parts[0], parts[1], "+/+/"}, "."), malformed, errCharacters},
		{"a scheme before", "Bearer " + good, malformed, errCharacters},
		{"a list of tokens", good + "," + good, malformed, errCharacters},
		{"not UTF-8", good + "\xff", malformed, errCharacters},
		{"letters behind", good + "AAAA", domain.ErrTokenInvalid, jwt.ErrTokenSignatureInvalid},
		{"JSON serialization", `{"payload":"` + parts[1] + `"}`, malformed, errCharacters},
		{"header not JSON", signed("hello"), malformed, jwt.ErrTokenMalformed},
		{"header null", signed("null"), domain.ErrTokenInvalid, jwt.ErrTokenUnverifiable},
		{"header a list", signed("[]"), malformed, jwt.ErrTokenMalformed},
		{"header nested without end", signed(strings.Repeat("[", 5000)), malformed, jwt.ErrTokenMalformed},
		{"header with alg twice", signed(`{"alg":"EdDSA","kid":"` + eddsaID + `","typ":"JWT","alg":"none"}`), domain.ErrTokenInvalid,
			jwt.ErrTokenSignatureInvalid},
	}
}

// FuzzVerify searches for a token that is accepted, other than the signed one.
func FuzzVerify(f *testing.F) {
	good := goodToken()
	f.Add(good)
	for _, attack := range attacks(f) {
		if len(attack.token) <= 2*rpc.MaxTokenBytes {
			f.Add(attack.token)
		}
	}
	tokens := testTokens(f, keyring.EdDSA)
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := tokens.Verify(t.Context(), token)
		switch {
		case token == good && err != nil:
			t.Errorf("the good token is rejected: %v", err)
		case token != good && err == nil:
			t.Errorf("accepted %q: %+v", token, claims)
		}
	})
}
