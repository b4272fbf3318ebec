package e2e

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
)

// TestBodies sends bodies that two readers could understand differently. None of them may log a user in.
func TestBodies(t *testing.T) {
	s := suite.StartSystem(t)
	const body = `{"username":"demo","password":"demo"}`
	with := func(before, after string) string { return strings.Replace(body, before, after, 1) }
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(body))
	_ = w.Close()
	tests := []struct {
		name   string
		body   string
		header []string
		status int
		fields string
	}{
		{"a name twice", with(`"username":"demo"`, `"username":"guest","username":"demo"`), nil, 400, ""},
		{"a name in two cases", with(`"password":"demo"`, `"password":"guess","Password":"demo"`), nil, 400, ""},
		{"invalid UTF-8", with("demo", "demo\xff"), nil, 400, ""},
		{"a surrogate alone", with("demo", `demo\ud800`), nil, 400, ""},
		{"another charset", body, []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415, ""},
		{"gzip", zipped.String(), []string{"Content-Encoding", "gzip"}, 415, ""},
		{"plain JSON called br", body, []string{"Content-Encoding", "br"}, 415, ""},
		{"wrong types", `{"username":1,"password":["demo"]}`, nil, 422, "username password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := s.API.Want(t, test.status, http.MethodPost, "/v1/login", test.body, test.header...)
			if len(test.header) > 0 && test.header[0] == "Content-Encoding" && r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
			}
			r.WantFields(t, test.fields)
		})
	}
	s.API.Want(t, http.StatusOK, http.MethodPost, "/v1/login", body, "Content-Type", "application/json; charset=UTF-8")
}
