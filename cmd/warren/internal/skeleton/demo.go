package skeleton

import (
	"context"
	"fmt"
	"net/http"

	"go.uber.org/fx"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
	"example.com/warren/pkg/service"
	database "example.com/warren/pkg/sqlite"
)

// demoUser is the user demo in the demo data of access-control.
var demoUser = app.Caller{ID: "0190a6d0-0000-7000-8000-000000000001"}

const path = "/widgets"

// examples show what the service does with the demo data.
var examples = []service.Example{
	{Shows: "the widgets of demo", Status: http.StatusOK, Method: http.MethodGet, Path: path},
	{Shows: "a new widget", Status: http.StatusCreated, Method: http.MethodPost, Path: path, Body: `{"name":"New"}`},
	{Shows: "an invalid name", Status: http.StatusUnprocessableEntity, Method: http.MethodPost, Path: path, Body: `{"name":""}`},
}

// addDemoData adds the demo data that does not exist yet.
func addDemoData(config *Config, lifecycle fx.Lifecycle, useCases *app.Widgets) {
	if !config.DemoData {
		return
	}
	lifecycle.Append(fx.StartHook(func(ctx context.Context) error {
		for _, name := range []string{"First", "Second", "Third"} {
			if _, err := useCases.Create(ctx, demoUser, "demo "+name, name); err != nil {
				return fmt.Errorf("add demo data: %w", database.MarkTemporary(err))
			}
		}
		return nil
	}))
}
