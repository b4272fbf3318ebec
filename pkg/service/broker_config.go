package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"example.com/warren/pkg/messaging/rabbitmq"
)

// BrokerConfig holds the settings of a connection to RabbitMQ. Programs other than services embed it in their own
// settings with kong's tag embed, so its fields name their flags and variables themselves.
type BrokerConfig struct {
	URLs        []string `name:"broker-url" env:"BROKER_URL" default:"amqp://guest:guest@127.0.0.1:5672/" help:"RabbitMQ, as amqp:// or amqps:// URL; the nodes of a cluster are separated by commas."`
	CA          string   `name:"broker-ca" env:"BROKER_CA" help:"PEM file of the authorities that may sign the broker's certificate; empty: those of the system."`
	ServerName  string   `name:"broker-server-name" env:"BROKER_SERVER_NAME" help:"Name in the broker's certificate; empty: the host of BROKER_URL."`
	Certificate string   `name:"broker-certificate" env:"BROKER_CERTIFICATE" help:"PEM file of the client certificate for the broker, read at each connect; empty: none."`
	Key         string   `name:"broker-key" env:"BROKER_KEY" help:"PEM file of the key of BROKER_CERTIFICATE."`
}

// Validate reports unusable settings. Its errors quote no URL, because URLs hold passwords.
func (c *BrokerConfig) Validate() error {
	err := c.checkURLs()
	if (c.Certificate == "") != (c.Key == "") {
		err = errors.Join(err, errors.New("BROKER_CERTIFICATE and BROKER_KEY must be set together"))
	}
	return err
}

func (c *BrokerConfig) checkURLs() error {
	if len(c.URLs) == 0 {
		return errors.New("BROKER_URL is empty")
	}
	for i, s := range c.URLs {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "amqp" && u.Scheme != "amqps" {
			return fmt.Errorf("BROKER_URL: URL %d of %d is not of the form amqp://user:password@host:5672/vhost", i+1, len(c.URLs))
		}
		if u.Scheme == "amqp" && c.setsTLS() { // the settings of TLS would have no effect
			return fmt.Errorf("BROKER_URL: URL %d of %d is amqp://, which is plain text, but TLS is configured: use amqps://", i+1, len(c.URLs))
		}
	}
	return nil
}

// Options returns these settings as options, to which the caller adds others. The error is that of a file.
func (c *BrokerConfig) Options() (rabbitmq.Options, error) {
	config, err := c.tlsConfig()
	return rabbitmq.Options{URLs: c.URLs, TLS: config}, err
}

func (c *BrokerConfig) setsTLS() bool { return c.CA != "" || c.Certificate != "" || c.ServerName != "" }

// tlsConfig returns nil if nothing is configured. The system's authorities then verify amqps:// brokers.
func (c *BrokerConfig) tlsConfig() (*tls.Config, error) {
	if !c.setsTLS() {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read BROKER_CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read BROKER_CA: %s has no certificate in PEM", c.CA)
		}
	}
	if c.Certificate != "" {
		if _, err := c.clientCertificate(nil); err != nil {
			return nil, err
		}
		config.GetClientCertificate = c.clientCertificate
	}
	return config, nil
}

// clientCertificate reads the files at each handshake, so that a renewed certificate is used without a restart.
func (c *BrokerConfig) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read BROKER_CERTIFICATE and BROKER_KEY: %w", err)
	}
	return &certificate, nil
}
