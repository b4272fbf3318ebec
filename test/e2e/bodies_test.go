package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBodies sends bodies that two readers could understand differently. None of them may make an order.
func TestBodies(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	before := demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders?limit=100", "")

	item := `{"sku":"teapot","quantity":1}`
	body := func(items ...string) string { return `{"currency":"EUR","items":[` + strings.Join(items, ",") + `]}` }
	with := func(before, after string) string { return strings.Replace(body(item), before, after, 1) }
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(body(item)))
	_ = w.Close()
	tests := []struct {
		name   string
		body   string
		header []string
		status int
		fields string
	}{
		{"a name twice", with(`"quantity":1`, `"quantity":1,"quantity":999`), nil, 400, ""},
		{"a name in two cases", with(`"quantity":1`, `"quantity":1,"Quantity":999`), nil, 400, ""},
		{"a list twice", with(`"items":`, `"items":[`+item+`],"items":`), nil, 400, ""},
		{"invalid UTF-8", with("tea", "te\xff"), nil, 400, ""},
		{"a surrogate alone", with("tea", `te\ud800`), nil, 400, ""},
		{"another charset", body(item), []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415, ""},
		{"gzip", zipped.String(), []string{"Content-Encoding", "gzip"}, 415, ""},
		{"plain JSON called br", body(item), []string{"Content-Encoding", "br"}, 415, ""},
		{"a list over its limit", body(strings.Split(strings.Repeat("{},", 1000)+"{}", ",")...), nil, 422, "items"},
		{"wrong types", body(`{"sku":1}`, item, `{"sku":"cup","quantity":"2"}`, `[]`), nil, 422,
			"items[0].sku items[2].quantity items[3] items[0].quantity"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := demo.Want(t, test.status, http.MethodPost, "/v1/orders", test.body, test.header...)
			if len(test.header) > 0 && test.header[0] == "Content-Encoding" && r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
			}
			var problem struct{ Errors []struct{ Field string } }
			if err := json.Unmarshal(r.Body, &problem); err != nil {
				t.Fatal(err)
			}
			for field := range strings.FieldsSeq(test.fields) {
				if !slices.Contains(problem.Errors, struct{ Field string }{field}) {
					t.Errorf("errors %q, want %s", problem.Errors, field)
				}
			}
		})
	}
	after := demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders?limit=100", "")
	if diff := cmp.Diff(string(before.Body), string(after.Body)); diff != "" {
		t.Errorf("orders (-before +after):\n%s", diff)
	}
	demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", body(item), "Content-Type", "application/json; charset=UTF-8")
}
