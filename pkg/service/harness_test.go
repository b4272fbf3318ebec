package service_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
)

var client = &http.Client{
	Timeout:   awaittest.Limit,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// get requests a page of the admin listener, with headers, a name and a value each, and returns its status and body.
func get(t *testing.T, addr, path string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(bufio.NewReader(response.Body))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}
