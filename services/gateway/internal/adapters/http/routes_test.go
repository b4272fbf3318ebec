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
	"go.opentelemetry.io/otel/trace/noop"
)

// routeTable returns the routes that declare declares.
func routeTable(t testing.TB, declare func(*table)) []Route {
	t.Helper()
	table, err := record(declare)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// tables are the route tables whose routes are tried one by one.
var tables = map[string]func(*table){"routes.go": routes, "things": things}

// target returns a request target that the route matches.
func (r Route) target() string { return pathParameter.ReplaceAllString(r.Path, "7") }

// TestEachRouteCallsItsQueue also with a query that names another queue, and with HEAD in place of GET.
func TestEachRouteCallsItsQueue(t *testing.T) {
	for name, declare := range tables {
		for _, route := range routeTable(t, declare) {
			targets := []string{route.Method + " " + route.target(), route.Method + " " + route.target() + "?queue=other"}
			if route.Method == http.MethodGet {
				targets = append(targets, http.MethodHead+" "+route.target())
			}
			for _, target := range targets {
				f := newFixtureOf(t, options(), declare)
				f.authenticator.identity.Scopes = []string{route.Scope}
				method, path, _ := strings.Cut(target, " ")
				f.do(newRequest(method, path, ""))
				if f.caller.last == nil || f.caller.last.Queue != route.Queue || f.caller.last.Route != route.Path {
					t.Errorf("%s: %s called %+v, want %s", name, target, f.caller.last, route.Queue)
				}
			}
		}
	}
}

// TestEachRouteChecksItsCaller: only public routes serve a request without a token, and a route with a scope refuses a
// token without it.
func TestEachRouteChecksItsCaller(t *testing.T) {
	for name, declare := range tables {
		for _, route := range routeTable(t, declare) {
			f := newFixtureOf(t, options(), declare)
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
				t.Errorf("%s: %s without a token: status %d, want %d", name, route, w.Code, wantAnonymous)
			}
			f.authenticator.identity.Scopes = nil
			if w := f.do(newRequest(route.Method, route.target(), "")); w.Code != wantUnscoped {
				t.Errorf("%s: %s without a scope: status %d, want %d", name, route, w.Code, wantUnscoped)
			}
		}
	}
}

func TestOptionsTakeAnyOrder(t *testing.T) {
	options := []option{
		proxy("things.get"), requireToken, scope("things:read"), within(time.Second), forwarding("cookie"), forgetToken, maxBody(9), idempotent,
	}
	want := []Route{{
		Method: "POST", Path: "/v1/things/:id", Queue: "things.get", RequireToken: true, Scope: "things:read", Timeout: time.Second,
		Forward: []string{"cookie"}, ForgetToken: true, MaxBody: 9, Idempotent: true,
	}}
	for range options {
		options = append(options[1:], options[0])
		for _, order := range [][]option{options, reversed(options)} {
			got, err := record(func(api *table) { api.group("/v1").POST("/things/:id", order...) })
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
		return func(v1 *group) { v1.GET("/things/:id", options...) }
	}
	protected := func(options ...option) func(*group) {
		return get(append(options, proxy("things.get"), requireToken)...)
	}
	tests := map[string]struct {
		declare func(v1 *group)
		want    string
	}{
		"neither requireToken nor public": {get(proxy("things.get")), "requireToken or public is missing"},
		"a scope alone requires no token": {get(proxy("things.get"), scope("things:read")), "requireToken or public is missing"},
		"requireToken and public":         {get(proxy("things.get"), requireToken, public), "requireToken contradicts public"},
		"a scope on a public route":       {get(proxy("things.get"), public, scope("things:read")), "scope contradicts public"},
		"forgetToken on a public route":   {get(public, proxy("things.get"), forgetToken), "forgetToken contradicts public"},
		"an empty scope":                  {protected(scope("")), `scope "" is not of the form things:read`},
		"a scope without an action":       {protected(scope("things")), `scope "things" is not of the form things:read`},
		"two scopes in one":               {protected(scope("a:b c:d")), `scope "a:b c:d" is not of the form things:read`},
		"no queue":                        {get(requireToken), "proxy is missing"},
		"a queue without a method":        {get(proxy("things"), requireToken), `queue "things" is not of the form service.method`},
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
		"proxy twice":        {get(proxy("things.get"), requireToken, proxy("things.get")), "proxy is given twice"},
		"requireToken twice": {get(requireToken, requireToken, proxy("things.get")), "requireToken is given twice"},
		"public twice":       {get(public, public, proxy("things.get")), "public is given twice"},
		"scope twice": {
			protected(scope("things:read"), scope("things:write")), "scope is given twice",
		},
		"within twice":      {get(within(time.Second), within(time.Hour), public, proxy("things.get")), "within is given twice"},
		"forwarding twice":  {get(proxy("things.get"), public, forwarding("Cookie"), forwarding("Cookie")), "forwarding is given twice"},
		"forgetToken twice": {protected(forgetToken, forgetToken), "forgetToken is given twice"},
		"the same route again": {func(v1 *group) {
			v1.GET("/things/:id", proxy("things.get"), requireToken)
			v1.GET("/things/:id", proxy("things.other"), requireToken)
		}, "is declared twice"},
		"the same route with another parameter": {func(v1 *group) {
			v1.GET("/things/:thing", proxy("things.get"), requireToken)
			v1.GET("/things/:id", proxy("things.get"), requireToken)
		}, "is declared twice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			declare := func(api *table) { test.declare(api.group("/v1")) }
			o := options()
			_, err := newServer(declare, o.Config, o.callTimeout, &caller{}, &authenticator{},
				slog.New(slog.DiscardHandler), prometheus.NewRegistry(), noop.NewTracerProvider())
			if want := "route GET /v1/things/:id: " + test.want; err == nil || err.Error() != want {
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
		"/things":       true,
		"/things/:id/a": true,
		"things/":       false,
		"/things/":      false,
		"/a//b":         false,
		"/a b":          false,
	} {
		_, err := record(func(api *table) { api.group("/v1").PUT(path, proxy("things.get"), public) })
		if want := "route PUT /v1" + path + ": the path is not of the form /things/:id"; ok != (err == nil) || err != nil && err.Error() != want {
			t.Errorf("%q: got %v, want accepted: %t", path, err, ok)
		}
	}
}

// TestEveryMistakeIsReported in one start, one line each.
func TestEveryMistakeIsReported(t *testing.T) {
	_, err := record(func(api *table) {
		v1 := api.group("/v1")
		v1.DELETE("/things", proxy("things.delete"))
		v1.PATCH("/things", requireToken, public)
	})
	want := []string{
		"route DELETE /v1/things: requireToken or public is missing",
		"route PATCH /v1/things: proxy is missing",
		"route PATCH /v1/things: requireToken contradicts public",
	}
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("got:\n%v\nwant:\n%s", err, strings.Join(want, "\n"))
	}
}
