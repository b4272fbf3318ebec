package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBodiesOfOrders sends bodies with lists that two readers could understand differently, or that hold what no order has. None of
// them may make an order. TestBodies of package test/e2e has bodies without lists.
func TestBodiesOfOrders(t *testing.T) {
	s := suite.StartSystem(t)
	demo := s.API.Login(t, "demo")
	before := demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders?limit=100", "")

	item := `{"sku":"teapot","quantity":1}`
	body := func(items ...string) string { return `{"currency":"EUR","items":[` + strings.Join(items, ",") + `]}` }
	with := func(before, after string) string { return strings.Replace(body(item), before, after, 1) }
	tests := map[string]struct {
		body   string
		status int
		fields string
	}{
		"a name twice in an item": {with(`"quantity":1`, `"quantity":1,"quantity":999`), 400, ""},
		"a list twice":            {with(`"items":`, `"items":[`+item+`],"items":`), 400, ""},
		"a list over its limit":   {body(strings.Split(strings.Repeat("{},", 1000)+"{}", ",")...), 422, "items"},
		"wrong types": {
			body(`{"sku":1}`, item, `{"sku":"cup","quantity":"2"}`, `[]`), 422,
			"items[0].sku items[2].quantity items[3] items[0].quantity",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := demo.Want(t, test.status, http.MethodPost, "/v1/orders", test.body)
			r.WantFields(t, test.fields)
		})
	}
	after := demo.Want(t, http.StatusOK, http.MethodGet, "/v1/orders?limit=100", "")
	if diff := cmp.Diff(string(before.Body), string(after.Body)); diff != "" {
		t.Errorf("orders (-before +after):\n%s", diff)
	}
	demo.Want(t, http.StatusCreated, http.MethodPost, "/v1/orders", body(item))
}
