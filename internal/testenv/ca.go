package testenv

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

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// ClientName is the common name of client certificates, and the user of a RabbitMQ node with TLS that it logs in as.
const ClientName = "feed-client"

// Certificates are PEM files of a certificate authority made for one test.
type Certificates struct {
	CAFile         string
	ServerCertFile string // for 127.0.0.1 and localhost
	ServerKeyFile  string
	ClientCertFile string // common name ClientName
	ClientKeyFile  string

	t   testing.TB
	dir string
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

// CA makes a certificate authority, a server's certificate and a client's. It needs no server and works in a short run.
func CA(t testing.TB) *Certificates {
	t.Helper()
	c := &Certificates{t: t, dir: t.TempDir()}
	c.ca = template("datafeed test CA")
	c.ca.IsCA, c.ca.BasicConstraintsValid = true, true
	c.ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	c.key = newKey(t)
	c.CAFile, _ = c.write("ca", c.ca, c.key)
	c.ServerCertFile, c.ServerKeyFile = c.Server("server", "localhost", "127.0.0.1")
	c.ClientCertFile, c.ClientKeyFile = c.Client("client", ClientName)
	return c
}

// Server makes a further certificate for servers with these names or addresses. It is stored under file's name.
func (c *Certificates) Server(file string, hosts ...string) (certFile, keyFile string) {
	c.t.Helper()
	cert := template(hosts[0])
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, host)
		}
	}
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return c.write(file, cert, newKey(c.t))
}

// Client makes a further client certificate. It is stored under file's name, replacing one of the same name, as a
// rotation of certificates does.
func (c *Certificates) Client(file, commonName string) (certFile, keyFile string) {
	c.t.Helper()
	cert := template(commonName)
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return c.write(file, cert, newKey(c.t))
}

// ClientTLS is the configuration of a client that trusts the CA and shows the client certificate.
func (c *Certificates) ClientTLS() *tls.Config {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(c.ClientCertFile, c.ClientKeyFile)
	check(c.t, err)
	roots := x509.NewCertPool()
	roots.AddCert(c.ca)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

func (c *Certificates) server() *server.TLSFiles {
	return &server.TLSFiles{CA: c.CAFile, Cert: c.ServerCertFile, Key: c.ServerKeyFile}
}

// write signs a certificate and writes it and its key.
func (c *Certificates) write(name string, cert *x509.Certificate, key *ecdsa.PrivateKey) (certFile, keyFile string) {
	c.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, c.ca, &key.PublicKey, c.key)
	check(c.t, err)
	if cert == c.ca {
		c.ca, err = x509.ParseCertificate(der)
		check(c.t, err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	check(c.t, err)
	certFile, keyFile = filepath.Join(c.dir, name+".pem"), filepath.Join(c.dir, name+"-key.pem")
	check(c.t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(c.t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return certFile, keyFile
}

func template(commonName string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		panic(err) // the system's randomness does not fail
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}
