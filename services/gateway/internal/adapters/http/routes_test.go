package http

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// routeTable returns the API's routes.
func routeTable(t testing.TB) []Route {
	t.Helper()
	table, err := record(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// target returns a request target that the route matches.
func (r Route) target() string { return pathParameter.ReplaceAllString(r.Path, "7") }

// TestEachRouteCallsItsQueue also with a query that names another queue, and with HEAD in place of GET.
func TestEachRouteCallsItsQueue(t *testing.T) {
	for _, route := range routeTable(t) {
		targets := []string{route.Method + " " + route.target(), route.Method + " " + route.target() + "?queue=other"}
		if route.Method == http.MethodGet {
			targets = append(targets, http.MethodHead+" "+route.target())
		}
		for _, target := range targets {
			f := newFixture(t, options())
			method, path, _ := strings.Cut(target, " ")
			f.do(newRequest(method, path, ""))
			if f.caller.last == nil || f.caller.last.Queue != route.Queue || f.caller.last.Route != route.Path {
				t.Errorf("%s called %+v, want %s", target, f.caller.last, route.Queue)
			}
		}
	}
}

// TestEachRouteChecksItsCaller: only public routes serve a request without a token, and a route with a scope refuses a
// token without it.
func TestEachRouteChecksItsCaller(t *testing.T) {
	for _, route := range routeTable(t) {
		f := newFixture(t, options())
		anonymous := newRequest(route.Method, route.target(), "")
		anonymous.Header.Del("Authorization")
		wantAnonymous, wantUnscoped := http.StatusUnauthorized, http.StatusOK
		if route.Public {
			wantAnonymous = http.StatusOK
		}
		if route.Scope != "" {
			wantUnscoped = http.StatusForbidden
		}
		if w := f.do(anonymous); w.Code != wantAnonymous {
			t.Errorf("%s without a token: status %d, want %d", route, w.Code, wantAnonymous)
		}
		f.authenticator.identity.Scopes = nil
		if w := f.do(newRequest(route.Method, route.target(), "")); w.Code != wantUnscoped {
			t.Errorf("%s without a scope: status %d, want %d", route, w.Code, wantUnscoped)
		}
	}
}

// TestRoutesThatTheREADMEDocuments pins the API that the README's requests use.
func TestRoutesThatTheREADMEDocuments(t *testing.T) {
	want := []Route{
		{Method: "POST", Path: "/v1/login", Queue: "access-control.login", Public: true, Timeout: 10 * time.Second, MaxBody: 4096},
		{
			Method: "POST", Path: "/v1/logout", Queue: "access-control.logout", RequireToken: true, ForgetToken: true,
			MaxBody: 4096, Idempotent: true,
		},
		{Method: "GET", Path: "/v1/orders", Queue: "orders.getAll", RequireToken: true, Scope: "orders:read", Idempotent: true},
		{Method: "POST", Path: "/v1/orders", Queue: "orders.create", RequireToken: true, Scope: "orders:write", MaxBody: 65536, Idempotent: true},
		{Method: "GET", Path: "/v1/orders/:id", Queue: "orders.get", RequireToken: true, Scope: "orders:read", Idempotent: true},
		{Method: "POST", Path: "/v1/orders/:id/cancel", Queue: "orders.cancel", RequireToken: true, Scope: "orders:write", MaxBody: 4096},
	}
	got := slices.DeleteFunc(routeTable(t), func(r Route) bool {
		return !slices.ContainsFunc(want, func(w Route) bool { return w.String() == r.String() })
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
}

func TestOptionsTakeAnyOrder(t *testing.T) {
	options := []option{
		proxy("orders.get"), requireToken, scope("orders:read"), within(time.Second), forwarding("cookie"), forgetToken, maxBody(9), idempotent,
	}
	want := []Route{{
		Method: "POST", Path: "/v1/orders/:id", Queue: "orders.get", RequireToken: true, Scope: "orders:read", Timeout: time.Second,
		Forward: []string{"cookie"}, ForgetToken: true, MaxBody: 9, Idempotent: true,
	}}
	for range options {
		options = append(options[1:], options[0])
		for _, order := range [][]option{options, reversed(options)} {
			got, err := record(func(api *table) { api.group("/v1").POST("/orders/:id", order...) })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("route (-want +got):\n%s", diff)
			}
		}
	}
}

func reversed(options []option) []option {
	out := slices.Clone(options)
	slices.Reverse(out)
	return out
}

// TestMistakenRoutesDoNotStart: each mistake in routes.go ends the start of the gateway with one line that names the route.
func TestMistakenRoutesDoNotStart(t *testing.T) {
	get := func(options ...option) func(*group) {
		return func(v1 *group) { v1.GET("/orders/:id", options...) }
	}
	protected := func(options ...option) func(*group) {
		return get(append(options, proxy("orders.get"), requireToken)...)
	}
	tests := map[string]struct {
		declare func(v1 *group)
		want    string
	}{
		"neither requireToken nor public": {get(proxy("orders.get")), "requireToken or public is missing"},
		"a scope alone requires no token": {get(proxy("orders.get"), scope("orders:read")), "requireToken or public is missing"},
		"requireToken and public":         {get(proxy("orders.get"), requireToken, public), "requireToken contradicts public"},
		"a scope on a public route":       {get(proxy("orders.get"), public, scope("orders:read")), "scope contradicts public"},
		"forgetToken on a public route":   {get(public, proxy("orders.get"), forgetToken), "forgetToken contradicts public"},
		"an empty scope":                  {protected(scope("")), `scope "" is not of the form orders:read`},
		"a scope without an action":       {protected(scope("orders")), `scope "orders" is not of the form orders:read`},
		"two scopes in one":               {protected(scope("a:b c:d")), `scope "a:b c:d" is not of the form orders:read`},
		"no queue":                        {get(requireToken), "proxy is missing"},
		"a queue without a method":        {get(proxy("orders"), requireToken), `queue "orders" is not of the form service.method`},
		"an empty queue":                  {get(proxy(""), requireToken), `queue "" is not of the form service.method`},
		"no time":                         {protected(within(0)), "within 0s is not positive"},
		"negative time":                   {protected(within(-time.Second)), "within -1s is not positive"},
		"no body":                         {protected(maxBody(0)), "maxBody 0 is not positive"},
		"a negative body":                 {protected(maxBody(-1)), "maxBody -1 is not positive"},
		"idempotent twice":                {protected(idempotent, idempotent), "idempotent is given twice"},
		"maxBody twice":                   {protected(maxBody(1), maxBody(2)), "maxBody is given twice"},
		"no header to forward":            {protected(forwarding()), "forwarding names no header"},
		"a header of the connection":      {protected(forwarding("te")), "forwarding has no effect on Te"},
		"a header that is forwarded":      {protected(forwarding("Accept")), "forwarding has no effect on Accept"},
		"a header that the gateway sets": {
			protected(forwarding("X-Forwarded-For")), "forwarding has no effect on X-Forwarded-For",
		},
		"proxy twice":        {get(proxy("orders.get"), requireToken, proxy("orders.get")), "proxy is given twice"},
		"requireToken twice": {get(requireToken, requireToken, proxy("orders.get")), "requireToken is given twice"},
		"public twice":       {get(public, public, proxy("orders.get")), "public is given twice"},
		"scope twice": {
			protected(scope("orders:read"), scope("orders:write")), "scope is given twice",
		},
		"within twice":      {get(within(time.Second), within(time.Hour), public, proxy("orders.get")), "within is given twice"},
		"forwarding twice":  {get(proxy("orders.get"), public, forwarding("Cookie"), forwarding("Cookie")), "forwarding is given twice"},
		"forgetToken twice": {protected(forgetToken, forgetToken), "forgetToken is given twice"},
		"the same route again": {func(v1 *group) {
			v1.GET("/orders/:id", proxy("orders.get"), requireToken)
			v1.GET("/orders/:id", proxy("orders.other"), requireToken)
		}, "is declared twice"},
		"the same route with another parameter": {func(v1 *group) {
			v1.GET("/orders/:order", proxy("orders.get"), requireToken)
			v1.GET("/orders/:id", proxy("orders.get"), requireToken)
		}, "is declared twice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			declare := func(api *table) { test.declare(api.group("/v1")) }
			o := options()
			_, err := newServer(declare, o.Config, o.callTimeout, &caller{}, &authenticator{},
				slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			if want := "route GET /v1/orders/:id: " + test.want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestRoutePaths(t *testing.T) {
	if _, err := record(func(api *table) { api.group("").GET("/", proxy("pages.root"), public) }); err != nil {
		t.Errorf("the root path: %v", err)
	}
	for path, ok := range map[string]bool{
		"":              true, // the group's own
		"/":             false,
		"/orders":       true,
		"/orders/:id/a": true,
		"orders/":       false,
		"/orders/":      false,
		"/a//b":         false,
		"/a b":          false,
	} {
		_, err := record(func(api *table) { api.group("/v1").PUT(path, proxy("orders.get"), public) })
		if want := "route PUT /v1" + path + ": the path is not of the form /orders/:id"; ok != (err == nil) || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want accepted: %t", path, err, ok)
		}
	}
}

// TestEveryMistakeIsReported in one start, one line each.
func TestEveryMistakeIsReported(t *testing.T) {
	_, err := record(func(api *table) {
		v1 := api.group("/v1")
		v1.DELETE("/orders", proxy("orders.delete"))
		v1.PATCH("/orders", requireToken, public)
	})
	want := []string{
		"route DELETE /v1/orders: requireToken or public is missing",
		"route PATCH /v1/orders: proxy is missing",
		"route PATCH /v1/orders: requireToken contradicts public",
	}
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("got:\n%v\nwant:\n%s", err, strings.Join(want, "\n"))
	}
}
