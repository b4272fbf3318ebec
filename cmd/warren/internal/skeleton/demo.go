package skeleton

import (
	"context"
	"fmt"

	"example.com/warren/cmd/warren/internal/skeleton/internal/app"
)

// demoUser is the user demo in the demo data of access-control.
var demoUser = app.Caller{ID: "0190a6d0-0000-7000-8000-000000000001"}

// seed adds the demo data that does not exist yet.
func seed(ctx context.Context, useCases *app.Widgets) error {
	for _, name := range []string{"First widget", "Second widget", "Third widget"} {
		if _, err := useCases.Create(ctx, demoUser, "demo "+name, name); err != nil {
			return fmt.Errorf("add demo data: %w", err)
		}
	}
	return nil
}
