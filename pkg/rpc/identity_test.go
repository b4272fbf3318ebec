package rpc

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/rpc/protocol"
)

// signer signs the identities of a test.
type signer struct{ private ed25519.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	noError(t, err)
	return signer{private}
}

func (s signer) find(id string) ed25519.PublicKey {
	if id != "k-1" {
		return nil
	}
	return s.private.Public().(ed25519.PublicKey) //nolint:forcetypeassert // documented
}

func (s signer) identity(t testing.TB, expiresAt time.Time) *Identity {
	t.Helper()
	i := &Identity{Subject: "u-1", ExpiresAt: expiresAt.Truncate(time.Second)}
	assertion, err := protocol.SignIdentity(i, "k-1", s.private)
	noError(t, err)
	i.Assertion = assertion
	return i
}

func TestIdentityIsVerified(t *testing.T) {
	s, stranger := newSigner(t), newSigner(t)
	later := time.Now().Add(time.Hour)
	changed := s.identity(t, later)
	changed.Subject, changed.Assertion = "u-2", "subject=u-2&"+changed.Assertion[len("subject=u-1&"):]
	tests := []struct {
		name     string
		identity *Identity
		unsigned int // status of a server that verifies no signatures
		signed   int // status of a server that does
	}{
		{"signed", s.identity(t, later), 200, 200},
		{"none", nil, 200, 200},
		{"not signed", &Identity{Subject: "u-1", ExpiresAt: later}, 200, 401},
		{"signed by another key", stranger.identity(t, later), 200, 401},
		{"changed", changed, 200, 401},
		{"expired within the leeway", s.identity(t, time.Now().Add(-10*time.Second)), 200, 200},
		{"expired", s.identity(t, time.Now().Add(-2*time.Minute)), 401, 401},
		{"expired and not signed", &Identity{Subject: "u-1", ExpiresAt: time.Now().Add(-2 * time.Minute)}, 401, 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBroker(t)
			refused := 0
			options := ServerOptions{IdentityLeeway: time.Minute, Observer: Observer{RefusedIdentity: func() { refused++ }}}
			serve(t, b, options, "unsigned", ok)
			options.IdentityKey = s.find
			signed := serve(t, b, options, "signed", ok)
			c := startClient(t, b, ClientOptions{})
			for range 2 { // the second time from the cache
				wantStatus(t, c, "unsigned", test.identity, test.unsigned)
				wantStatus(t, c, "signed", test.identity, test.signed)
			}
			noError(t, signed.Drain(stopContext(t)))
			want := 0
			for _, status := range []int{test.unsigned, test.signed} {
				if status == http.StatusUnauthorized {
					want += 2
				}
			}
			if refused != want {
				t.Errorf("counted %d refused identities, want %d", refused, want)
			}
		})
	}
}

func wantStatus(t *testing.T, c *Client, queue string, identity *Identity, want int) {
	t.Helper()
	reply, err := c.Do(t.Context(), &Request{Queue: queue, Identity: identity, CorrelationID: "c-1"})
	noError(t, err)
	if reply.Status != want {
		t.Errorf("%s: status %d, want %d: %s", queue, reply.Status, want, reply.Body)
	}
	if want != http.StatusUnauthorized {
		return
	}
	if reply.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%s: header %v, want a challenge", queue, reply.Header)
	}
	if !strings.Contains(string(reply.Body), `"correlation_id":"c-1"`) {
		t.Errorf("%s: body %s, want the correlation ID of the request", queue, reply.Body)
	}
}

// TestNestedCallKeepsTheSignature has a service call another on behalf of its caller.
func TestNestedCallKeepsTheSignature(t *testing.T) {
	s, b := newSigner(t), newBroker(t)
	nested := startClient(t, b, ClientOptions{Name: "outer"})
	server := newTestServer(b, ServerOptions{IdentityKey: s.find})
	Handle(server, "inner", func(ctx context.Context, _ Empty) (string, error) { return IdentityFrom(ctx).Subject, nil })
	Handle(server, "outer", func(ctx context.Context, _ Empty) (string, error) {
		return Call[Empty, string](ctx, nested, "inner", Empty{})
	})
	start(t, server)
	c := startClient(t, b, ClientOptions{})
	reply, err := c.Do(t.Context(), &Request{Queue: "outer", Identity: s.identity(t, time.Now().Add(time.Hour))})
	noError(t, err)
	if reply.Status != http.StatusOK || string(reply.Body) != `"u-1"` {
		t.Errorf("reply %d %s", reply.Status, reply.Body)
	}
}

// BenchmarkVerifyIdentity shows what a request with a known identity costs, and one with a new identity.
func BenchmarkVerifyIdentity(b *testing.B) {
	s := newSigner(b)
	identity := s.identity(b, time.Now().Add(time.Hour))
	for name, remembered := range map[string]bool{"known": true, "new": false} {
		b.Run(name, func(b *testing.B) {
			v := newIdentityVerifier(s.find, 0)
			for b.Loop() {
				if !remembered {
					v.verified.DeleteAll()
				}
				if err := v.verify(identity); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
