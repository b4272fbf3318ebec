package protocol

import (
	"net/url"
	"testing"
)

func TestEscape(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, s := range []string{"", "orders", "a b+c%20", string(every)} {
		escaped := string(form(nil).escape(s))
		if want := url.QueryEscape(s); escaped != want {
			t.Errorf("escape(%q) = %q, want %q", s, escaped, want)
		}
		if back, err := unescape(escaped); back != s || err != nil {
			t.Errorf("unescape(%q) = %q, %v, want %q", escaped, back, err, s)
		}
	}
}
