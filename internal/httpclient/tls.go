package httpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS returns a configuration that trusts the authorities of the system, and those
// of a PEM file unless caFile is "". It reads the file now.
func TLS(caFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read tls.caFile: %w", err)
	}
	if c.RootCAs, err = x509.SystemCertPool(); err != nil {
		c.RootCAs = x509.NewCertPool() // a minimal image may have none
	}
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("read tls.caFile: no PEM certificate in " + caFile)
	}
	return c, nil
}
