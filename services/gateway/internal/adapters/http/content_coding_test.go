package http

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"testing"

	"example.com/warren/pkg/messaging"
)

func TestContentCodings(t *testing.T) {
	tests := map[string][]string{ // joined by commas
		"":                 nil,
		"UTF-8":            nil,
		"utf8":             nil,
		"binary":           nil,
		"iso-8859-1":       nil,
		"identity":         nil,
		"gzip":             {"gzip"},
		"GZIP":             {"gzip"},
		"x-gzip":           {"x-gzip"},
		"gzip:UTF-8":       {"gzip"},
		"gzip, UTF-8":      {"gzip"},
		"deflate,br ,zstd": {"deflate", "br", "zstd"},
		"zip":              nil,
		"gzip;q=1":         nil,
		",:,":              nil,
	}
	for value, want := range tests {
		if got := contentCodings([]string{value}); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	if got, want := contentCodings([]string{"utf-8", "gzip", "br"}), []string{"gzip", "br"}; !slices.Equal(got, want) {
		t.Errorf("a list: %q, want %q", got, want)
	}
}

// TestReplyContentEncoding: a client that decodes content codings reads the body, whatever a service wrote into the AMQP property.
func TestReplyContentEncoding(t *testing.T) {
	const body = `{"id":"ä"}`
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := newBrokerFixture(t, options())
	f.start(t)
	transport := &http.Transport{} // sends Accept-Encoding: gzip and decodes the response
	t.Cleanup(transport.CloseIdleConnections)
	for encoding, sent := range map[string][]byte{
		"": []byte(body), "UTF-8": []byte(body), "binary": []byte(body), "gzip": compressed.Bytes(), "gzip:UTF-8": compressed.Bytes(),
	} {
		f.reply.Store(&messaging.Message{ContentType: "application/json", ContentEncoding: encoding, Body: sent})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+f.Addr().String()+"/v1/things", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+validToken)
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(got) != body || response.Header.Get("Content-Encoding") != "" {
			t.Errorf("%q: body %q, %v, Content-Encoding %q", encoding, got, err, response.Header.Get("Content-Encoding"))
		}
	}
}
