package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/warren/pkg/awaittest"
	"example.com/warren/pkg/messaging"
	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

// loopback holds the hosts of the node's certificate.
var loopback = []string{"127.0.0.1"}

// startTLSNode starts a node that requires client certificates.
func startTLSNode(t *testing.T, ca *rabbitmqtest.Authority) *rabbitmqtest.Node {
	t.Helper()
	return rabbitmqtest.StartNode(t, rabbitmqtest.Options{TLS: rabbitmqtest.MutualTLS(t, ca, loopback[0])})
}

// startTLSServer returns the URL of a server that only does TLS handshakes.
func startTLSServer(t *testing.T, certificate tls.Certificate) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // the client refuses it
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-stopped
	})
	return "amqps://" + listener.Addr().String() + "/"
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, otherCA := rabbitmqtest.NewAuthority(t, "brokers"), rabbitmqtest.NewAuthority(t, "strangers")
	node := startTLSNode(t, ca)
	client := ca.Issue(t, rabbitmqtest.Leaf{Name: "orders"}).Load(t)
	stranger := otherCA.Issue(t, rabbitmqtest.Leaf{Name: "orders"}).Load(t)
	config := func(ca *rabbitmqtest.Authority, certificates ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: ca.Pool, Certificates: certificates, MinVersion: tls.VersionTLS12}
	}

	t.Run("mutual", func(t *testing.T) {
		b := newTestBroker(t, Options{URLs: []string{node.TLSURL()}, TLS: config(ca, client)})
		q := testQueue(t)
		got := received(t, b, q)
		if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "secret"}); err != nil {
			t.Fatal(err)
		}
		if id := receive(t, got); id != "secret" {
			t.Errorf("got %q", id)
		}
		cut(t, b.publishing) // the next connection must authenticate itself too
		if err := b.Publish(awaittest.Context(t), q.Name, messaging.Message{ID: "again"}); err != nil {
			t.Fatal(err)
		}
		if id := receive(t, got); id != "again" {
			t.Errorf("got %q", id)
		}
	})

	expired := ca.Issue(t, rabbitmqtest.Leaf{Name: "node", Hosts: loopback, NotAfter: time.Now().Add(-time.Minute)})
	misplaced := ca.Issue(t, rabbitmqtest.Leaf{Name: "node", Hosts: []string{"broker.example"}})
	noCertificate := "the node asks for a client certificate, and there is none from the authorities it trusts"
	untrusted := `the node may not trust the client certificate: "CN=orders", signed by "CN=strangers", valid until 2`
	tls12 := config(ca)
	tls12.MaxVersion = tls.VersionTLS12
	insistent := config(ca) // sends a certificate that the node does not trust
	insistent.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }
	unreadable := config(ca)
	unreadable.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return nil, errors.New("no such file")
	}
	tests := map[string]struct {
		url    string
		config *tls.Config
		want   string           // a part of the error
		is     func(error) bool // nil: want is enough
	}{
		"server of another authority": {
			url: node.TLSURL(), config: config(otherCA, client), want: "signed by unknown authority",
			is: isError[x509.UnknownAuthorityError],
		},
		"server unknown to the system": {
			url: node.TLSURL(), want: "signed by unknown authority", is: isError[x509.UnknownAuthorityError],
		},
		"expired server": {
			url: startTLSServer(t, expired.Load(t)), config: config(ca, client), want: "certificate has expired",
			is: func(err error) bool {
				var e x509.CertificateInvalidError
				return errors.As(err, &e) && e.Reason == x509.Expired
			},
		},
		"server of another host": {
			url: startTLSServer(t, misplaced.Load(t)), config: config(ca, client), want: "127.0.0.1",
			is: isError[x509.HostnameError],
		},
		"no client certificate":             {url: node.TLSURL(), config: config(ca), want: noCertificate},
		"no client certificate, TLS 1.2":    {url: node.TLSURL(), config: tls12, want: noCertificate},
		"client of another authority":       {url: node.TLSURL(), config: config(ca, stranger), want: noCertificate},
		"client of another authority, sent": {url: node.TLSURL(), config: insistent, want: untrusted},
		"unreadable client certificate":     {url: node.TLSURL(), config: unreadable, want: "no such file"},
		"plain text to the port of TLS": {
			url: "amqp://guest:guest@" + node.TLSAddr() + "/", want: "if the port is one for TLS, the URL must be amqps://",
		},
		"TLS to the port of plain text": {
			url: "amqps://guest:guest@" + node.Addr() + "/", config: config(ca, client), want: "not look like a TLS handshake",
			is: isError[tls.RecordHeaderError],
		},
		"wrong password": {
			url: "amqps://guest:wrong@" + node.TLSAddr() + "/", config: config(ca, client), want: "username or password not allowed",
			is: func(err error) bool { return !strings.Contains(err.Error(), "certificate") },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refused(t, Options{URLs: []string{test.url}, TLS: test.config})
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("ready: %v, want %q", err, test.want)
			}
			if test.is != nil && !test.is(err) {
				t.Errorf("ready: %v, which is of the wrong type", err)
			}
		})
	}
}

// refused returns the error of Ready after the first attempt to connect.
func refused(t *testing.T, options Options) error {
	t.Helper()
	options.Logger, options.DialTimeout = slog.New(slog.DiscardHandler), within
	b, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(awaittest.Context(t)); err != nil {
			t.Error(err)
		}
	}()
	awaittest.Until(t, "an attempt", func() bool {
		err = b.Ready()
		return err == nil || !strings.Contains(err.Error(), "not connected yet")
	})
	if !errors.Is(err, messaging.ErrUnavailable) {
		t.Fatalf("ready: %v, want ErrUnavailable", err)
	}
	return err
}

func isError[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// TestTLSOptions checks that TLS settings that would not be used are refused.
func TestTLSOptions(t *testing.T) {
	for query, want := range map[string]string{
		"?cacertfile=ca.pem":            "broker URL 1 of 1 sets cacertfile: use the option TLS",
		"?certfile=c.pem&keyfile=c.key": "broker URL 1 of 1 sets certfile: use the option TLS",
	} {
		_, err := New(Options{URLs: []string{"amqps://u:secret@host/" + query}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
	_, err := New(Options{URLs: []string{"amqps://u:secret@a/", "amqp://u:secret@b/"}, TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
	if err == nil || !strings.Contains(err.Error(), "broker URL 2 of 2 is not amqps://") || strings.Contains(err.Error(), "secret") {
		t.Errorf("plain URL beside TLS: %v", err)
	}
}
