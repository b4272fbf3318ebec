// Package e2e drives a whole system with orders as its users do, over HTTP. Package test/e2e needs no example service.
package e2e

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/test/internal/system"
)

// suite holds the programs, and a node with the broker users of the deployment.
var suite system.Suite

func TestMain(m *testing.M) { goleak.VerifyTestMain(system.Tests{M: m, Suite: &suite}) }
