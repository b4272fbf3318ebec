package e2e

import (
	"os"
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/test/internal/system"
)

// TestSecondGateway starts a second gateway without RPC_INSTANCE. It must not consume the first one's replies.
func TestSecondGateway(t *testing.T) {
	s := suite.StartSystem(t)
	second, _ := suite.StartGateway(t, s.Dir)
	if second.Wait(t) == nil {
		t.Error("a second gateway on the same callback queue started")
	}
	if out := second.Output(); !strings.Contains(out, "RPC_INSTANCE") {
		t.Errorf("the error does not say what to set:\n%s", out)
	}
	s.API.Login(t, "demo")
}

// TestInstanceOfTheHost runs gateways that are named like their host, as in the images: one has its own callback queue
// beside that of an unnamed gateway, and the same queue again after a crash. A second one on the host is refused.
func TestInstanceOfTheHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := suite.StartSystem(t)
	for range 2 {
		named, api := suite.StartGateway(t, s.Dir, "RPC_INSTANCE=hostname")
		named.AwaitReady(t)
		if _, err := suite.Messages(t.Context(), "gateway.rpc.response."+host); err != nil {
			t.Error(err)
		}
		second, _ := suite.StartGateway(t, s.Dir, "RPC_INSTANCE=hostname")
		if second.Wait(t) == nil || !strings.Contains(second.Output(), "RPC_INSTANCE") {
			t.Errorf("a second gateway named like the host: %s", second.Output())
		}
		for _, api := range []system.API{s.API, api} {
			api.Login(t, "demo")
		}
		named.Kill()
		awaittest.Until(t, "the broker has noticed", func() bool { return suite.Queues(t, "consumers")["gateway.rpc.response."+host] == "0" })
	}
}
