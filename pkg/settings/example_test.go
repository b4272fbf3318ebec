package settings_test

import (
	"fmt"
	"os"
	"time"

	"example.com/warren/pkg/settings"
)

func Example() {
	var config struct {
		Database      string        `default:"orders.db" validate:"required" help:"SQLite file of the orders."`
		TokenLifetime time.Duration `default:"15m" validate:"min=1s,max=24h" help:"How long a token lasts."`
		PageSize      int           `default:"20" validate:"min=1,max=100" help:"Orders of a page."`
	}
	program := settings.Program{Name: "orders", Own: &config, Shared: new(struct{})}

	err := program.Parse([]string{"--orders-token-lifetime=1h"}, os.Stdout)
	fmt.Println(config.Database, config.TokenLifetime, config.PageSize, err)

	err = program.Parse([]string{"--orders-token-lifetime=0s", "--orders-page-size=101"}, os.Stdout)
	fmt.Println(err)

	// Output:
	// orders.db 1h0m0s 20 <nil>
	// ORDERS_TOKEN_LIFETIME must be between 1s and 24h, is 0s
	// ORDERS_PAGE_SIZE must be between 1 and 100, is 101
}
