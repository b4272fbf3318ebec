package service

import (
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/warren/pkg/messaging/rabbitmq/rabbitmqtest"
)

func TestBrokerWithoutTLS(t *testing.T) {
	options, err := (&BrokerConfig{}).Options()
	if options.TLS != nil || err != nil {
		t.Errorf("TLS = %v, %v, want nothing", options.TLS, err)
	}
}

func TestUnusableTLSFilesFailTheStart(t *testing.T) {
	ca := rabbitmqtest.NewAuthority(t, "brokers")
	orders, other := ca.Issue(t, rabbitmqtest.Leaf{Name: "orders"}), ca.Issue(t, rabbitmqtest.Leaf{Name: "other"})
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args    []string
		want    []string // parts of the error
		wantErr error    // nil: any
	}{
		"no CA": {
			args: []string{"--broker-ca=missing.pem"}, want: []string{"BROKER_CA", "missing.pem"}, wantErr: fs.ErrNotExist,
		},
		"empty CA": {args: []string{"--broker-ca=" + noPEM}, want: []string{"BROKER_CA", noPEM, "no certificate in PEM"}},
		"no certificate": {
			args: []string{"--broker-certificate=missing.pem", "--broker-key=" + orders.Key},
			want: []string{"BROKER_CERTIFICATE", "missing.pem"}, wantErr: fs.ErrNotExist,
		},
		"no key": {
			args: []string{"--broker-certificate=" + orders.Certificate, "--broker-key=missing.key"},
			want: []string{"BROKER_KEY", "missing.key"}, wantErr: fs.ErrNotExist,
		},
		"key of another certificate": {
			args: []string{"--broker-certificate=" + orders.Certificate, "--broker-key=" + other.Key},
			want: []string{"BROKER_CERTIFICATE and BROKER_KEY", "private key does not match public key"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--broker-url=amqps://u:secret@127.0.0.1:1/", "--admin-addr="}, test.args...)
			err := Run(t.Context(), ordersService(nil), args, WithOutput(io.Discard, io.Discard))
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if test.wantErr != nil && !errors.Is(err, test.wantErr) {
				t.Errorf("error %v, want %v", err, test.wantErr)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows a password", err)
			}
		})
	}
}

// The server has another name than its address and requires client certificates. The client's certificate is renewed
// between two handshakes.
func TestBrokerTLS(t *testing.T) {
	ca := rabbitmqtest.NewAuthority(t, "brokers")
	server := ca.Issue(t, rabbitmqtest.Leaf{Name: "broker", Hosts: []string{"broker.example"}}).Load(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()

	files := ca.Issue(t, rabbitmqtest.Leaf{Name: "first"})
	c := &BrokerConfig{CA: ca.File, ServerName: "broker.example", Certificate: files.Certificate, Key: files.Key}
	options, err := c.Options()
	if err != nil {
		t.Fatal(err)
	}
	if got := clientName(t, listener, options.TLS); got != "first" {
		t.Errorf("the client is %q, want first", got)
	}
	renewed := ca.Issue(t, rabbitmqtest.Leaf{Name: "renewed"})
	for from, to := range map[string]string{renewed.Certificate: files.Certificate, renewed.Key: files.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if got := clientName(t, listener, options.TLS); got != "renewed" {
		t.Errorf("the client is %q, want renewed", got)
	}
}

// clientName connects and returns the name of the client as the server has verified it.
func clientName(t *testing.T, listener net.Listener, config *tls.Config) string {
	t.Helper()
	dialed := make(chan error, 1)
	go func() {
		dialer := tls.Dialer{Config: config}
		conn, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err == nil {
			_, _ = io.Copy(io.Discard, conn) // until the server closes the connection
			_ = conn.Close()
		}
		dialed <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server := conn.(*tls.Conn)
	handshake := server.HandshakeContext(t.Context())
	peers := server.ConnectionState().PeerCertificates
	_ = conn.Close()
	if err := errors.Join(<-dialed, handshake); err != nil {
		t.Fatal(err)
	}
	return peers[0].Subject.CommonName
}
