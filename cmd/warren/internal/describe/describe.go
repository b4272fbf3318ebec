// Package describe prints what the services are and how each is configured, for programs such as make generate.
package describe

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"example.com/warren/cmd/warren/internal/services"
	"example.com/warren/pkg/service"
	"example.com/warren/pkg/settings"
)

// Command is warren services.
type Command struct{}

// Help implements kong.HelpProvider.
func (*Command) Help() string { return "Example:\n\n  warren services" }

// Service describes one service.
type Service struct {
	Name     string
	Calls    []string           // names of the services that it calls
	Settings []settings.Setting // its own, then those that every service has
}

// Run prints a JSON array of Service, sorted by name.
func (*Command) Run() error { return write(os.Stdout) }

func write(w io.Writer) error {
	var all []Service
	for _, s := range services.All() {
		list, err := service.Settings(s)
		if err != nil {
			return fmt.Errorf("describe %s: %w", s.Name, err)
		}
		all = append(all, Service{Name: s.Name, Calls: s.Calls, Settings: list})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}
