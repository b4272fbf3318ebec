package http

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Route is one line of routes.go.
type Route struct {
	Method string // the HTTP method
	Path   string // the pattern of the path, e.g. "/v1/things/:id"
	Queue  string // the queue of the service's method, e.g. "things.get"

	// Exactly one of the two is set.
	Public       bool
	RequireToken bool

	Scope       string        // the scope that the token must carry; empty: any valid token will do
	Timeout     time.Duration // the limit for token check and call together; 0: the gateway's default
	MaxBody     int64         // the largest body in bytes, within the gateway's limit; 0: that limit
	Forward     []string      // headers that are passed on here although they are held back by default
	ForgetToken bool          // drop what is cached about the token after the call
	Idempotent  bool          // the call may be made twice, because its method (RFC 9110, section 9.2.2) or the service allows it
}

// String returns the method and the path.
func (r Route) String() string { return r.Method + " " + r.Path }

// Routes returns the API's routes. NewServer reports mistakes in them.
func Routes() []Route {
	table, _ := record(routes)
	return table
}

// option is one property of a route. A route line takes its options in any order, each at most once.
type option struct {
	name string
	set  func(*Route)
}

var (
	// public lets every request in, without a token.
	public = option{"public", func(r *Route) { r.Public = true }}
	// requireToken lets requests in whose bearer token is valid.
	requireToken = option{"requireToken", func(r *Route) { r.RequireToken = true }}
	// forgetToken drops what is cached about the caller's token after the call, so that the next request has it checked.
	forgetToken = option{"forgetToken", func(r *Route) { r.ForgetToken = true }}
	// idempotent lets the call be repeated after the connection to the broker was lost. GET, PUT and DELETE need no such option.
	idempotent = option{"idempotent", func(r *Route) { r.Idempotent = true }}
)

// proxy names the queue that requests go to.
func proxy(queue string) option { return option{"proxy", func(r *Route) { r.Queue = queue }} }

// scope refuses callers whose token does not carry the scope.
func scope(name string) option { return option{"scope", func(r *Route) { r.Scope = name }} }

// within replaces the default limit for the token check and the call together.
func within(limit time.Duration) option {
	return option{"within", func(r *Route) { r.Timeout = limit }}
}

// maxBody lowers the limit of the body's bytes.
func maxBody(limit int64) option { return option{"maxBody", func(r *Route) { r.MaxBody = limit }} }

// forwarding passes on headers that are held back by default, e.g. Cookie.
func forwarding(headers ...string) option {
	return option{"forwarding", func(r *Route) { r.Forward = headers }}
}

// table records routes and what is wrong with them.
type table struct {
	routes []Route
	errs   []error
}

// record returns the routes that declare declares, or an error with one line for each mistake.
func record(declare func(*table)) ([]Route, error) {
	t := &table{}
	declare(t)
	t.findDuplicates()
	return t.routes, errors.Join(t.errs...)
}

func (t *table) add(method, path string, options []option) {
	r := Route{Method: method, Path: path}
	r.Idempotent = method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
	given := map[string]bool{}
	for _, o := range options {
		if given[o.name] {
			t.fail(r, o.name+" is given twice")
		}
		given[o.name] = true
		o.set(&r)
	}
	for _, mistake := range mistakes(r, given) {
		t.fail(r, mistake)
	}
	t.routes = append(t.routes, r)
}

func (t *table) fail(r Route, mistake string) {
	t.errs = append(t.errs, fmt.Errorf("route %s: %s", r, mistake))
}

var (
	pathForm      = regexp.MustCompile(`^/$|^(/[^/\s]+)+$`)
	pathParameter = regexp.MustCompile(`:[^/]+`)
	queueForm     = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[A-Za-z][A-Za-z0-9]*)+$`)
	scopeForm     = regexp.MustCompile(`^[a-z][a-z0-9-]*(:[a-z][a-z0-9-]*)+$`)
)

// mistakes returns what is wrong with a route by itself.
func mistakes(r Route, given map[string]bool) []string {
	var out []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	check(pathForm.MatchString(r.Path), "the path is not of the form /things/:id")
	check(given["proxy"], "proxy is missing")
	check(!given["proxy"] || queueForm.MatchString(r.Queue), "queue %q is not of the form service.method", r.Queue)
	check(r.Public || r.RequireToken, "requireToken or public is missing")
	check(!r.Public || !r.RequireToken, "requireToken contradicts public")
	check(!r.Public || !given["scope"], "scope contradicts public")
	check(!r.Public || !r.ForgetToken, "forgetToken contradicts public")
	check(!given["scope"] || scopeForm.MatchString(r.Scope), "scope %q is not of the form things:read", r.Scope)
	check(!given["within"] || r.Timeout > 0, "within %s is not positive", r.Timeout)
	check(!given["maxBody"] || r.MaxBody > 0, "maxBody %d is not positive", r.MaxBody)
	check(!given["forwarding"] || len(r.Forward) > 0, "forwarding names no header")
	for _, name := range r.Forward {
		name := http.CanonicalHeaderKey(name)
		check(isHeldBack(name) && !hopByHop[name] && name != "X-Forwarded-For", "forwarding has no effect on %s", name)
	}
	return out
}

// findDuplicates compares routes as the router does, which ignores the names of parameters.
func (t *table) findDuplicates() {
	seen := map[string]bool{}
	for _, r := range t.routes {
		key := r.Method + " " + pathParameter.ReplaceAllString(r.Path, ":")
		if seen[key] {
			t.fail(r, "is declared twice")
		}
		seen[key] = true
	}
}

// group records routes below a common path.
type group struct {
	table  *table
	prefix string
}

func (t *table) group(prefix string) *group { return &group{t, prefix} }

func (g *group) add(method, path string, options []option) {
	g.table.add(method, g.prefix+path, options)
}

func (g *group) GET(path string, o ...option)    { g.add(http.MethodGet, path, o) }
func (g *group) POST(path string, o ...option)   { g.add(http.MethodPost, path, o) }
func (g *group) PUT(path string, o ...option)    { g.add(http.MethodPut, path, o) }
func (g *group) PATCH(path string, o ...option)  { g.add(http.MethodPatch, path, o) }
func (g *group) DELETE(path string, o ...option) { g.add(http.MethodDelete, path, o) }
