package rpc

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/services/orders/internal/app"
)

func TestCursor(t *testing.T) {
	for _, want := range []*app.Position{
		nil,
		{CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC), ID: "b2c1"},
		{CreatedAt: time.Date(1969, 3, 1, 12, 0, 0, 0, time.UTC), ID: "with.dots.and é"},
	} {
		got, err := decodeCursor(encodeCursor(want))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("error %v, position %s", err, diff)
		}
	}
}

func TestBadCursor(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, cursor := range []string{
		"x", "%", "=", "MTIzLmE=", "MTIzLmF", // not base64url, or not in its canonical form
		encode([]byte("123")), encode([]byte("123.")), encode([]byte(".a")), encode([]byte("a.b")),
		encode([]byte("99999999999999999999.a")),
	} {
		if p, err := decodeCursor(cursor); err == nil {
			t.Errorf("%q gave %+v", cursor, p)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(encodeCursor(&app.Position{CreatedAt: time.Unix(1, 0), ID: "a"}))
	f.Add("x")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := decodeCursor(cursor)
		if err != nil {
			return
		}
		again, err := decodeCursor(encodeCursor(p))
		if diff := cmp.Diff(p, again); err != nil || diff != "" {
			t.Errorf("%q: error %v, position %s", cursor, err, diff)
		}
	})
}
