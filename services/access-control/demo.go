package accesscontrol

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"example.com/warren/pkg/service"
	"example.com/warren/services/access-control/internal/app"
	"example.com/warren/services/access-control/internal/domain"
)

// demoUsers have fixed IDs, because the demo data of other services refers to them. Their passwords are their names, which are
// published and shorter than the passwords that users may choose.
var demoUsers = []app.Registration{
	{
		ID:       "0190a6d0-0000-7000-8000-000000000001",
		Username: "demo",
		Password: "demo",
		Demo:     true,
		Scopes:   []string{"orders:read", "orders:write"},
	},
	{
		ID:       "0190a6d0-0000-7000-8000-000000000002",
		Username: "admin",
		Password: "admin",
		Demo:     true,
		Scopes:   []string{"orders:all", "orders:read", "orders:write"},
	},
}

// examples show what the service does for the user demo.
var examples = []service.Example{
	{Shows: "no token", Status: http.StatusUnauthorized, Method: http.MethodPost, Path: "/logout", Anonymous: true},
	{
		Shows: "a new token", Status: http.StatusOK, Method: http.MethodPost, Path: "/login",
		Body: `{"username":"demo","password":"demo"}`, Anonymous: true,
	},
}

// seed adds the demo users that do not exist yet.
func seed(ctx context.Context, accessControl *app.AccessControl) error {
	for _, user := range demoUsers {
		err := accessControl.Register(ctx, user)
		if err != nil && !errors.Is(err, domain.ErrUsernameTaken) {
			return fmt.Errorf("add demo user %s: %w", user.Username, err)
		}
	}
	return nil
}
