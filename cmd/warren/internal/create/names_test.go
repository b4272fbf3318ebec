package create

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"example.com/warren/cmd/warren/internal/change"
)

func TestParseNames(t *testing.T) {
	tree := openTree(t)
	tests := []struct{ service, entity, plural, wantEntity, wantPlural string }{
		{"billing", "", "", "billing", "billings"},
		{"billing", "invoice", "", "invoice", "invoices"},
		{"billing", "case", "", "case", "cases"},
		{"invoices", "", "", "invoice", "invoices"},
		{"order-items", "", "", "order-item", "order-items"},
		{"access", "", "", "access", "accesses"},
		{"people", "", "", "person", "people"},
		{"crm", "staff", "staff-members", "staff", "staff-members"},
		{"a", "", "", "a", "as"},
	}
	for _, test := range tests {
		got, err := ParseNames(tree, test.service, test.entity, test.plural, 0)
		want := Names{test.service, test.wantEntity, test.wantPlural, got.AdminAddr}
		if err != nil || got != want {
			t.Errorf("%+v: got %+v, %v", test, got, err)
		}
	}
}

func TestBadNames(t *testing.T) {
	tree := openTree(t)
	tests := []struct{ service, entity, plural string }{
		{service: ""}, {service: "-"}, {service: "-a"}, {service: "a-"}, {service: "a--b"}, {service: "1a"}, {service: "Billing"},
		{service: "bücher"}, {service: "."}, {service: ".."}, {service: "a/b"}, {service: "../a"}, {service: "a b"}, {service: "a_b"},
		{service: "a.b"}, {service: "a\n"}, {service: strings.Repeat("a", 31)}, {service: "--force"}, {service: "a", entity: "Å"},
		{service: "a", entity: "b/c"}, {service: "a", plural: ".."}, {service: "a", entity: strings.Repeat("b", 31)},

		{service: "go"}, {service: "type"}, {service: "go-to"}, {service: "int"}, {service: "main"}, {service: "internal"}, {service: "testdata"},
		{service: "gateway"}, {service: "access-control"}, {service: "accesscontrol"}, {service: "ac-cess-control"},
		{service: "warren"}, {service: "e2e"}, {service: "rabbitmq"}, {service: "service"}, {service: "amq"}, {service: "test"},
		{service: "load-test"}, {service: "latest"},
		{service: "rpc"}, {service: "broker"}, {service: "admin"}, {service: "log"}, {service: "stop"}, {service: "demo"},
		{service: "fx"}, {service: "app"}, {service: "domain"}, {service: "sqlite"}, {service: "context"}, {service: "time"}, {service: "errors"},

		{service: "a", entity: "equipment"}, {service: "a", entity: "b", plural: "b"}, {service: "a", entity: "sqlite-file"},
		{service: "a", entity: "goose-egg"},
	}
	for _, test := range tests {
		n, err := ParseNames(tree, test.service, test.entity, test.plural, 0)
		if err == nil {
			_, err = Files(tree, n)
		}
		if !change.Refused(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want a refusal in one line", test, err)
		}
	}
}

func TestAdminPort(t *testing.T) {
	tree := &change.Tree{Root: t.TempDir()}
	for name, addr := range map[string]string{"a": "127.0.0.1:9090", "b": "127.0.0.1:9100", "c": "127.0.0.1:9099", "d": ""} {
		if err := tree.Write("services/"+name+"/"+name+".go", []byte(`AdminAddr: "`+addr+`"`)); err != nil {
			t.Fatal(err)
		}
	}
	for port, want := range map[uint16]string{0: "127.0.0.1:9101", 9098: "127.0.0.1:9098"} {
		if n, err := ParseNames(tree, "e", "", "", port); err != nil || n.AdminAddr != want {
			t.Errorf("port %d: got %s, %v; want %s", port, n.AdminAddr, err, want)
		}
	}
	if _, err := ParseNames(tree, "e", "", "", 9099); !change.Refused(err) {
		t.Errorf("used port: got %v, want a refusal", err)
	}
}

// hardNames mean something in Go, SQL, JSON, the skeleton or a file system.
var hardNames = strings.Fields(`a api-key app case client context database default domain err-not-found error group http id
	int interface key len line-item linux-kernel name new new-widget nil order owner-id package page return rpc select skeleton
	sqlite store string time-window type unit-test url user var widget widget-store widgets z-2`)

// TestHardNames checks the types of services with hard names, as those of the service and as those of the entity.
func TestHardNames(t *testing.T) {
	tree := openTree(t)
	types := newTypeChecker(t)
	check := func(service, entity string) (refused bool) {
		n, err := ParseNames(tree, service, entity, "", 0)
		var files map[string][]byte
		if err == nil {
			files, err = Files(tree, n)
		}
		if err == nil {
			err = types.check(tree.Module+"/", files)
		}
		if err != nil && !change.Refused(err) {
			t.Errorf("service %s, entity %s: %v", service, entity, err)
		}
		return err != nil
	}
	var services, entities []string
	for _, name := range hardNames {
		if !check(name, name) {
			continue
		}
		services = append(services, name)
		if check(name+"-service", name) {
			entities = append(entities, name)
		}
	}
	wantServices := strings.Fields(`app case context default domain err-not-found error http id int interface len name new nil owner-id
		package return rpc select skeleton sqlite string type unit-test var widgets`)
	if diff := cmp.Diff(wantServices, services); diff != "" {
		t.Errorf("refused services: %s", diff)
	}
	if diff := cmp.Diff(strings.Fields("err-not-found id name owner-id widgets"), entities); diff != "" {
		t.Errorf("refused entities: %s", diff)
	}
}

// TestNamesAtTheLimit checks that a linter finds nothing in the lines of a service.
func TestNamesAtTheLimit(t *testing.T) {
	long := strings.Repeat("w", maxNameLength)
	files, err := Files(openTree(t), Names{Service: long, Entity: long[1:], Plural: long, AdminAddr: "127.0.0.1:65535"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		for line := range strings.Lines(string(content)) {
			if utf8.RuneCountInString(line) > 141 && path.Ext(name) == ".go" && !strings.Contains(line, "`json:") {
				t.Errorf("%s: line of %d characters: %s", name, utf8.RuneCountInString(line), line)
			}
		}
	}
}

// The skeleton has no article before its nouns that would be wrong before a vowel.
func TestArticles(t *testing.T) {
	files, err := Files(openTree(t), Names{Service: "orders", Entity: "order", Plural: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if wrong := regexp.MustCompile(`(?i)\ba orders?\b`).Find(content); wrong != nil {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}
