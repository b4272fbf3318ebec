// Package origin records in .warren/origin.json what a system was made from.
package origin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"example.com/warren/cmd/warren/internal/change"
)

// File is where the origin of a system is recorded.
const File = ".warren/origin.json"

// Origin says what a system was made from, and how it is named.
type Origin struct {
	Template string   `json:"template"` // the template's module path
	Version  string   `json:"version"`  // the template's, as git describe has it
	Module   string   `json:"module"`   // what the module paths begin with
	Name     string   `json:"name"`     // the product, in lower case
	Services []string `json:"services"` // those that warren new service made
}

// Sample is the service of the template that only shows how services are made.
const Sample = "orders"

// Needed are the services of the template that no system can do without.
var Needed = []string{"access-control", "gateway"}

// Read returns the origin of a system. If none is recorded, the system is the template.
func Read(tree *change.Tree) (*Origin, error) {
	text, err := tree.Read(File)
	if errors.Is(err, fs.ErrNotExist) {
		services, err := tree.Services()
		services = slices.DeleteFunc(services, func(s string) bool { return s == Sample || slices.Contains(Needed, s) })
		return &Origin{Template: tree.Module, Module: tree.Module, Name: "warren", Services: services}, err
	}
	if err != nil {
		return nil, err
	}
	var o Origin
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("read %s: %w", File, err)
	}
	return &o, nil
}

// Write records the origin.
func (o *Origin) Write(tree *change.Tree) error {
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return tree.Write(File, append(text, '\n'))
}

// SetGenerated adds a service to the generated ones, or takes it out. It does nothing in a system without a record.
func SetGenerated(tree *change.Tree, service string, generated bool) error {
	if !tree.Exists(File) {
		return nil
	}
	o, err := Read(tree)
	if err != nil {
		return err
	}
	o.Services = slices.DeleteFunc(o.Services, func(s string) bool { return s == service })
	if generated {
		o.Services = append(o.Services, service)
		slices.Sort(o.Services)
	}
	return o.Write(tree)
}

// Describe returns the version of the checkout in a folder: its last tag and the commits since. It is empty without git.
func Describe(ctx context.Context, folder string) string {
	out, _ := change.Git(ctx, folder, "describe", "--tags", "--always") // the version is a hint
	return strings.TrimSpace(string(out))
}
