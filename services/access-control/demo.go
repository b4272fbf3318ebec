package accesscontrol

import (
	"context"
	"errors"
	"fmt"

	"example.com/warren/services/access-control/internal/app"
	"example.com/warren/services/access-control/internal/domain"
)

// demoUsers have ids that never change, for other services' demo data to refer to.
var demoUsers = []app.Registration{
	{
		ID:       "0190a6d0-0000-7000-8000-000000000001",
		Username: "demo",
		Password: "demo",
		Scopes:   []string{"orders:read", "orders:write"},
	},
	{
		ID:       "0190a6d0-0000-7000-8000-000000000002",
		Username: "admin",
		Password: "admin",
		Scopes:   []string{"orders:all", "orders:read", "orders:write"},
	},
}

// seed adds the demo users that are not there yet.
func seed(ctx context.Context, register *app.Register) error {
	for _, user := range demoUsers {
		err := register.Execute(ctx, user)
		if err != nil && !errors.Is(err, domain.ErrUsernameTaken) {
			return fmt.Errorf("add demo data: %w", err)
		}
	}
	return nil
}
