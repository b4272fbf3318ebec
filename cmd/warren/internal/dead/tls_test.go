package dead

import (
	"strings"
	"testing"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// TestLongMutualTLS lists a queue of a node that requires client certificates, and whose certificate does not name its address.
func TestLongMutualTLS(t *testing.T) {
	ca, stranger := rabbitmqtest.NewAuthority(t, "brokers"), rabbitmqtest.NewAuthority(t, "strangers")
	operator := ca.Issue(t, rabbitmqtest.Leaf{Name: "operator"})
	node := startTLSNode(t, ca)
	b := newBrokerAt(t, node.URL())
	q := newQueue(t, b, messaging.Classic)
	newDeadLetterQueue(t, b, q)
	bury(t, b, q, request("1"))
	for name, test := range map[string]struct {
		env     map[string]string
		wantErr string // a part of the error; "": the message is listed
	}{
		"certificate":     {},
		"no certificate":  {env: map[string]string{"BROKER_CERTIFICATE": "", "BROKER_KEY": ""}, wantErr: "asks for a client certificate"},
		"wrong authority": {env: map[string]string{"BROKER_CA": stranger.File}, wantErr: "certificate signed by unknown authority"},
		"wrong name":      {env: map[string]string{"BROKER_SERVER_NAME": ""}, wantErr: "127.0.0.1 because it doesn't contain any IP SANs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("BROKER_URL", node.TLSURL())
			t.Setenv("BROKER_CA", ca.File)
			t.Setenv("BROKER_SERVER_NAME", "broker.example")
			t.Setenv("BROKER_CERTIFICATE", operator.Certificate)
			t.Setenv("BROKER_KEY", operator.Key)
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			got := run(awaittest.Context(t), t, "dead", "list", q.Name)
			if test.wantErr != "" {
				assertError(t, got, test.wantErr)
				return
			}
			if got.err != "" || strings.Join(ids(got.out), ",") != "1" {
				t.Errorf("got %+v, want message 1", got)
			}
		})
	}
}

func startTLSNode(t *testing.T, ca *rabbitmqtest.Authority) *rabbitmqtest.Node {
	t.Helper()
	return rabbitmqtest.StartNode(t, rabbitmqtest.Options{TLS: rabbitmqtest.MutualTLS(t, ca, "broker.example")})
}

// TestBrokerSettings passes settings that can't work. The command rejects them before it connects.
func TestBrokerSettings(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"not a broker": {
			args: []string{"--broker-url=http://u:secret@b/"},
			want: "BROKER_URL: URL 1 of 1 is not of the form amqp://user:password@host:5672/vhost",
		},
		"CA without TLS": {
			args: []string{"--broker-url=amqp://u:secret@127.0.0.1:1/", "--broker-ca=ca.pem"},
			want: "BROKER_URL: URL 1 of 1 is amqp://, which is plain text",
		},
		"half a client certificate": {
			args: []string{"--broker-url=amqps://u:secret@127.0.0.1:1/", "--broker-certificate=c.pem"},
			want: "BROKER_CERTIFICATE and BROKER_KEY must be set together",
		},
		"no such CA": {
			args: []string{"--broker-url=amqps://u:secret@127.0.0.1:1/", "--broker-ca=missing.pem"},
			want: "read BROKER_CA: open missing.pem",
		},
	} {
		t.Run(name, func(t *testing.T) {
			assertError(t, run(awaittest.Context(t), t, append([]string{"dead", "list", "things.create"}, test.args...)...), test.want)
		})
	}
}

// assertError fails the test unless the error is one line that contains want and no password.
func assertError(t *testing.T, got result, want string) {
	t.Helper()
	if !strings.Contains(got.err, want) || strings.Contains(got.err, "\n") || strings.Contains(got.err, "secret") {
		t.Errorf("got %+v, want an error of one line with %q and no password", got, want)
	}
}
