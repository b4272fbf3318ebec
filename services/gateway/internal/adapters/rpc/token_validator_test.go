package rpc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/rpc"
	"example.com/warren/services/gateway/internal/app"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves ValidateToken with f over an in-memory broker, and returns a client.
func serve(t *testing.T, f func(context.Context, validateTokenInput) (map[string]any, error)) *rpc.Client {
	t.Helper()
	broker := inmem.NewServer()
	server := rpc.NewServer(broker.Connect(), rpc.ServerOptions{Name: "access-control"})
	rpc.Handle(server, ValidateToken, f)
	client := rpc.NewClient(broker.Connect(), rpc.ClientOptions{Name: "gateway", Timeout: 5 * time.Second})
	for _, start := range []func(context.Context) error{server.Start, client.Start} {
		if err := start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(client.Close(ctx), server.Drain(ctx)); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestTokenValidator(t *testing.T) {
	expiry := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	const signed = "subject=42&scope=a&expires-at=1893456000&key=k&signature=s"
	tests := map[string]struct {
		output      map[string]any
		err         error
		want        *rpc.Identity
		wantInvalid bool
		wantErr     bool
	}{
		"active": {
			output: map[string]any{
				"active": true, "subject": "42", "username": "demo", "scopes": []string{"a", "b"}, "token_id": "jti",
				"expires_at": expiry.Unix(),
			},
			want: &rpc.Identity{Subject: "42", Username: "demo", Scopes: []string{"a", "b"}, TokenID: "jti", ExpiresAt: expiry},
		},
		"signed": {
			output: map[string]any{
				"active": true, "subject": "admin", "scopes": []string{"a", "all"}, "expires_at": expiry.Add(time.Hour).Unix(),
				"assertion": signed,
			},
			want: &rpc.Identity{Subject: "42", Scopes: []string{"a"}, ExpiresAt: expiry, Assertion: signed},
		},
		"a malformed assertion": {
			output:  map[string]any{"active": true, "subject": "42", "expires_at": expiry.Unix(), "assertion": "signature=s"},
			wantErr: true,
		},
		"an assertion without an expiry": {
			output:  map[string]any{"active": true, "subject": "42", "expires_at": expiry.Unix(), "assertion": "subject=42&signature=s"},
			wantErr: true,
		},
		"not active":        {output: map[string]any{"active": false, "reason": "revoked"}, wantInvalid: true, wantErr: true},
		"an empty output":   {output: map[string]any{}, wantInvalid: true, wantErr: true},
		"without a subject": {output: map[string]any{"active": true, "expires_at": expiry.Unix()}, wantErr: true},
		"without an expiry": {output: map[string]any{"active": true, "subject": "42"}, wantErr: true},
		"an error":          {err: rpc.Unavailable("no"), wantErr: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := NewTokenValidator(serve(t, func(_ context.Context, in validateTokenInput) (map[string]any, error) {
				if in.Token != "the token" {
					t.Errorf("token %v", in.Token)
				}
				return test.output, test.err
			}))
			got, err := v.Validate(t.Context(), "the token")
			if (err != nil) != test.wantErr || errors.Is(err, app.ErrInvalidToken) != test.wantInvalid {
				t.Fatalf("error %v", err)
			}
			if got != nil {
				got.ExpiresAt = got.ExpiresAt.UTC()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}
