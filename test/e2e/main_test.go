// Package e2e starts the real programs over a real RabbitMQ and drives them as their users do, over HTTP. It takes about
// a minute, most of it for nodes and passwords.
package e2e

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/test/internal/system"
)

// suite has what all tests share: the programs, and a node with the users of the deployment.
var suite system.Suite

func TestMain(m *testing.M) { goleak.VerifyTestMain(system.Tests{M: m, Suite: &suite}) }
