package rabbitmqtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lifetime is how long a certificate is valid by default, which is longer than any test.
const lifetime = time.Hour

// Authority is a certificate authority.
type Authority struct {
	File string         // the PEM file of its certificate
	Pool *x509.CertPool // its own certificate, for a tls.Config

	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Leaf describes a certificate for a server or a client.
type Leaf struct {
	Name     string    // the common name
	Hosts    []string  // a server's names and IP addresses
	NotAfter time.Time // default: one hour from now
}

// Files names the PEM files of a certificate and its key.
type Files struct{ Certificate, Key string }

// Load returns the certificate for a tls.Config.
func (f Files) Load(t testing.TB) tls.Certificate {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// NewAuthority creates a certificate authority with a new key.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir(), key: newKey(t)}
	a.File = filepath.Join(a.dir, "ca.pem")
	template := newTemplate(t, Leaf{Name: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	a.certificate = template
	der := a.sign(t, template, a.key)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.certificate = parsed
	a.Pool = x509.NewCertPool()
	a.Pool.AddCert(parsed)
	write(t, a.File, "CERTIFICATE", der)
	return a
}

// Issue writes a new certificate and its key to files.
func (a *Authority) Issue(t testing.TB, leaf Leaf) Files {
	t.Helper()
	key := newKey(t)
	template := newTemplate(t, leaf)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(a.dir, template.SerialNumber.Text(16))
	files := Files{Certificate: path + ".pem", Key: path + ".key"}
	write(t, files.Certificate, "CERTIFICATE", a.sign(t, template, key))
	write(t, files.Key, "PRIVATE KEY", keyDER)
	return files
}

// MutualTLS returns the options of a node whose certificate is for host and which requires client certificates. ca issues
// both.
func MutualTLS(t testing.TB, ca *Authority, host string) *TLS {
	t.Helper()
	files := ca.Issue(t, Leaf{Name: "node", Hosts: []string{host}})
	return &TLS{Certificate: files.Certificate, Key: files.Key, ClientCA: ca.File}
}

func (a *Authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newTemplate(t testing.TB, leaf Leaf) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: leaf.Name},
		NotAfter:     leaf.NotAfter,
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(lifetime)
	}
	template.NotBefore = template.NotAfter.Add(-2 * lifetime)
	for _, host := range leaf.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
