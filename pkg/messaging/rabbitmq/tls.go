package rabbitmq

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// clientAuth records what happened to the client's certificate in one TLS handshake, because a node that refuses it closes
// the connection with a TLS alert at best, and in TLS 1.3 only after the handshake.
type clientAuth struct {
	sent *tls.Certificate // nil: the node did not ask; empty: there was none to send
}

// watch returns a copy of config, which may be nil, for a handshake with server, which it records.
func (a *clientAuth) watch(config *tls.Config, server string) *tls.Config {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	watched := config.Clone()
	watched.ServerName = cmp.Or(config.ServerName, server)
	watched.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		certificate, err := clientCertificate(config, request)
		if err == nil {
			a.sent = certificate
		}
		return certificate, err
	}
	return watched
}

// clientCertificate chooses the certificate as crypto/tls does.
func clientCertificate(config *tls.Config, request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if config.GetClientCertificate != nil {
		return config.GetClientCertificate(request)
	}
	for i := range config.Certificates {
		if request.SupportsCertificate(&config.Certificates[i]) == nil {
			return &config.Certificates[i], nil
		}
	}
	return &tls.Certificate{}, nil
}

// explain adds to the error of a dial what to check first.
func (a *clientAuth) explain(err error, scheme string) error {
	var e *amqp.Error
	isAMQP := errors.As(err, &e)
	switch {
	case isAMQP && (e.Server || e.Code == amqp.AccessRefused):
		return err // the node speaks AMQP, so the port and the certificates are right
	case a.sent != nil && len(a.sent.Certificate) == 0:
		return fmt.Errorf("%w (the node asks for a client certificate, and there is none from the authorities it trusts)", err)
	case a.sent != nil:
		return fmt.Errorf("%w (the node may not trust the client certificate: %s)", err, describe(a.sent))
	case isAMQP && scheme == "amqp":
		return fmt.Errorf("%w (the response is not AMQP: if the port is one for TLS, the URL must be amqps://)", err)
	default:
		return err
	}
}

func describe(certificate *tls.Certificate) string {
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%q, signed by %q, valid until %s", leaf.Subject, leaf.Issuer, leaf.NotAfter.UTC().Format("2006-01-02 15:04:05Z"))
}
