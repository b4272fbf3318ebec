package inmem_test

import (
	"testing"

	"go.uber.org/goleak"

	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/deadletter"
	"example.com/warren/pkg/messaging/inmem"
	"example.com/warren/pkg/messaging/messagingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBrowserContract(t *testing.T) {
	server := inmem.NewServer()
	connect := func(*testing.T) messaging.Broker { return server.Connect() }
	browse := func(t *testing.T) deadletter.Browser {
		b := server.Browse()
		t.Cleanup(b.Close)
		return b
	}
	messagingtest.RunBrowser(t, connect, browse, messagingtest.Options{})
}

func TestContract(t *testing.T) {
	server := inmem.NewServer()
	connect := func(*testing.T) messaging.Broker { return server.ConnectAs("guest") }
	messagingtest.Run(t, connect, messagingtest.Options{
		User: "guest",
		Interrupt: func(*testing.T, messaging.Broker) {
			server.SetAvailable(false)
			server.SetAvailable(true)
		},
	})
}
