// Command http responds to HTTP requests at once. It is the upper bound for any gateway on echo.
package main

import (
	"net/http"

	"github.com/alecthomas/kong"
	"github.com/labstack/echo/v4"

	"example.com/warren/test/bench/internal/example"
)

type cli struct {
	Addr string `env:"ADDR" default:"127.0.0.1:8080" help:"Address to listen on."`
}

func main() {
	var c cli
	ctx := kong.Parse(&c, kong.Description("Responds to each request at once."))
	body := example.JSON(example.Bytes)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/v1/orders/:id", func(c echo.Context) error { return c.JSONBlob(http.StatusOK, body) })
	ctx.FatalIfErrorf(e.Start(c.Addr))
}
