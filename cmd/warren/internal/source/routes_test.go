package source

import (
	"strings"
	"testing"
)

// function returns routes.go with lines in its function.
func function(lines ...string) string {
	return "package http\n\n// About routes.\nfunc routes(api *table) {\n\t" +
		strings.ReplaceAll(strings.Join(lines, "\n\t"), "\t\n", "\n") + "\n}\n"
}

const (
	group  = `v1 := api.group("/v1")`
	login  = `v1.POST("/login", proxy("access.login"), public) // hashing takes time`
	list   = `v1.GET("/orders", proxy("orders.getAll"), requireToken, scope("orders:read"))`
	get    = `v1.GET("/orders/:id", proxy("orders.get"), requireToken)`
	refund = `v1.POST("/orders/:id/refund", proxy("orders.refund"), requireToken, maxBody(4<<10))`
	items  = `v1.GET("/items", proxy("stock.getAll"), public)`
	long   = "a-service-with-a-name-that-is-very-long-indeed"
	wide   = "v1.POST(\n\t\t\"/boxes\",\n\t\tpublic,\n\t\tproxy(\"boxes.create\"),\n\t)"
)

var (
	refundRoute = Route{"POST", "/orders/:id/refund", "orders.refund", []string{"requireToken", "maxBody(4<<10)"}}
	itemsRoute  = Route{"GET", "/items", "stock.getAll", []string{"public"}}
	longRoute   = Route{"GET", "/" + long, long + ".getAll", []string{"requireToken"}}
)

// TestAddRoutes: removing takes back what was added.
func TestAddRoutes(t *testing.T) {
	for name, test := range map[string]struct {
		before string
		added  Route
		after  string
	}{
		"new service": {function(group, "", login, "", list, get), itemsRoute, function(group, "", login, "", list, get, "", items)},
		"new method":  {function(group, "", login, "", list, get), refundRoute, function(group, "", login, "", list, get, refund)},
		"in the middle": {
			function(group, list, get, "// About items.", items), refundRoute,
			function(group, list, get, refund, "// About items.", items),
		},
		"between comments": {
			function(group, list+" // a", items+strings.Repeat(" ", len(list)-len(items))+" // b"), refundRoute,
			function(group, list+" // a", refund, items+" // b"),
		},
		"no routes": {function(group), itemsRoute, function(group, "", items)},
		"wide":      {function(group, wide), itemsRoute, function(group, wide, "", items)},
		"long": {
			function(group), longRoute,
			function(group, "", `v1.GET("/`+long+`", proxy("`+long+`.getAll"),`, "\trequireToken)"),
		},
		"comment last": {function(group, login, "// no more"), itemsRoute, function(group, login, "// no more", "", items)},
		"other groups": {
			function(group, `v2 := api.group("/v2")`, "", list, `v2.GET("/items", proxy("stock.all"), public)`, "", "log()"), itemsRoute,
			function(group, `v2 := api.group("/v2")`, "", list, `v2.GET("/items", proxy("stock.all"), public)`, "", items, "", "log()"),
		},
		"other names": {
			function(`v := table.group("/v1")`, "", "log()"), itemsRoute,
			function(`v := table.group("/v1")`, "", strings.Replace(items, "v1", "v", 1), "", "log()"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t, routesFile, test.before)
			if err := AddRoutes(tree, test.added); err != nil {
				t.Fatal(err)
			}
			checkText(t, tree, routesFile, test.after)
			if err := RemoveRoutes(tree, func(queue string) bool { return queue == test.added.Queue }); err != nil {
				t.Fatal(err)
			}
			checkText(t, tree, routesFile, test.before)
		})
	}
}

func TestRemoveRoutes(t *testing.T) {
	for name, test := range map[string]struct{ before, after string }{
		"last":        {function(group, "", login, "", list, get), function(group, "", login)},
		"first":       {function(group, "", list, get, "", items), function(group, "", items)},
		"only":        {function(group, "", list, get), function(group)},
		"in between":  {function(group, "", login, list, items), function(group, "", login, items)},
		"scattered":   {function(group, list, items, "", get, "", login), function(group, items, "", login)},
		"none":        {function(group, "", login), function(group, "", login)},
		"with a name": {function(group, items, "", "// Orders are", "// sold.", list, get, "", login), function(group, items, "", login)},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t, routesFile, test.before)
			if err := RemoveRoutes(tree, func(queue string) bool { return strings.HasPrefix(queue, "orders.") }); err != nil {
				t.Fatal(err)
			}
			checkText(t, tree, routesFile, test.after)
		})
	}
}

func TestRoutesErrors(t *testing.T) {
	for name, test := range map[string]struct {
		text, want string
	}{
		"same route": {function(group, login, items), "routes.go:7: GET /v1/items is already the route of stock.getAll"},
		"other parameter": {
			function(group, `v1.POST("/orders/:number/refund", proxy("x.y"), public)`),
			"routes.go:6: POST /v1/orders/:number/refund",
		},
		"computed queue": {function(group, login, `v1.GET("/x", proxy(name), public)`), "routes.go:7: want a route of the form"},
		"computed path":  {function(group, `v1.GET(path, proxy("x.y"), public)`), "routes.go:6: want a route of the form"},
		"loop":           {function(group, "for range 2 {", "\t"+login, "}"), "routes.go:6: want a route of the form"},
		"no group":       {function(`v2 := api.group("/v2")`), `there is no v1 := api.group("/v1")`},
		"other group":    {function(group, strings.Replace(items, "v1", "x", 1)), "routes.go:6: want a route"},
		"no function":    {"package http\n", "there is no function routes"},
		"no Go":          {"package http\n\nfunc routes( {", "routes.go:3:"},
		"not formatted":  {strings.ReplaceAll(function(group, login), "\t", "  "), "routes.go is not formatted: run make tidy"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, AddRoutes(newTree(t, routesFile, test.text), itemsRoute, refundRoute), test.want)
		})
	}
}
