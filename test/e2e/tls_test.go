package e2e

import (
	"fmt"
	"testing"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
	"example.com/warren/test/internal/system"
)

// TestLongMutualTLS connects all services to a broker that requires client certificates, by their environment alone. A service
// that trusts another authority reports why it is not ready.
func TestLongMutualTLS(t *testing.T) {
	ca := rabbitmqtest.NewAuthority(t, "brokers")
	node := startTLSNode(t, ca)
	secure := &system.Suite{Programs: suite.Programs, Node: node}
	environment := func(service string) []string {
		certificate := ca.Issue(t, rabbitmqtest.Leaf{Name: service})
		return []string{
			fmt.Sprintf("BROKER_URL=amqps://%s:%s-development@%s/", service, service, node.TLSAddr()),
			"BROKER_CA=" + ca.File,
			"BROKER_CERTIFICATE=" + certificate.Certificate,
			"BROKER_KEY=" + certificate.Key,
			"DEMO_DATA=true",
		}
	}

	dir := t.TempDir()
	gateway, api := secure.StartGateway(t, dir, environment("gateway")...)
	for _, service := range system.Services {
		if service != "gateway" {
			secure.Start(t, service, dir, environment(service)...).AwaitReady(t)
		}
	}
	gateway.AwaitReady(t)
	api.Login(t, "demo")

	stranger := rabbitmqtest.NewAuthority(t, "strangers")
	deceived := secure.Start(t, "access-control", t.TempDir(), append(environment("access-control"), "BROKER_CA="+stranger.File)...)
	deceived.AwaitNotReady(t, "certificate signed by unknown authority")
}

// startTLSNode starts a node with the broker users of the deployment that requires client certificates of ca.
func startTLSNode(t *testing.T, ca *rabbitmqtest.Authority) *rabbitmqtest.Node {
	t.Helper()
	return rabbitmqtest.StartNode(t, rabbitmqtest.Options{Definitions: system.Definitions(), TLS: rabbitmqtest.MutualTLS(t, ca, "127.0.0.1")})
}
