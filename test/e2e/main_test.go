// Package e2e starts the real programs over a real RabbitMQ and drives them as their users do, over HTTP. It takes about a
// minute, mostly to start nodes. It uses no service but access-control, so that it holds for every system;
// tests that need another one are in test/<service>/e2e.
package e2e

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/test/internal/system"
)

// suite holds the programs, and a node with the broker users of the deployment.
var suite system.Suite

func TestMain(m *testing.M) { goleak.VerifyTestMain(system.Tests{M: m, Suite: &suite}) }
