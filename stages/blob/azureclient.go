package blob

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/kraft-edge/datafeed/feed"
)

// newTransport returns a transport of our own: it honours HTTPS_PROXY and
// HTTP_PROXY, trusts cfg's authorities besides the system's, and bounds every
// wait that the timeout of a request does not.
func newTransport(cfg TLS) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       60 * time.Second,
	}
	if cfg.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, &feed.ConfigError{Key: "tls.caFile", Problem: err.Error()}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &feed.ConfigError{Key: "tls.caFile", Problem: "holds no certificate", Remedy: "give a PEM file"}
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}

// newContainerClient reads the credentials and returns a client that tries
// once: retrying is the route's.
func newContainerClient(cfg Config, transport *http.Transport) (*container.Client, error) {
	p, err := cfg.place()
	if err != nil {
		return nil, err
	}
	opts := azcore.ClientOptions{
		Transport: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		Retry:     policy.RetryOptions{MaxRetries: -1, TryTimeout: cfg.TryTimeout},
		Telemetry: policy.TelemetryOptions{ApplicationID: "datafeed"},
	}
	clientOpts := &container.ClientOptions{ClientOptions: opts}
	if !cfg.ConnectionString.IsZero() {
		text, err := cfg.ConnectionString.Reveal()
		if err != nil {
			return nil, err
		}
		c, err := container.NewClientFromConnectionString(text, p.container, clientOpts)
		if err != nil {
			return nil, &feed.ConfigError{Key: "connectionString", Problem: err.Error(), Remedy: "copy it from the storage account's access keys"}
		}
		return c, nil
	}
	where := p.account.JoinPath(p.container)
	if where.Query().Has("sig") {
		return container.NewClientWithNoCredential(where.String(), clientOpts)
	}
	token, err := newToken(cfg.Azure.AzureIdentity, opts)
	if err != nil {
		return nil, &feed.ConfigError{Key: "azure.identity", Problem: firstLine(err.Error()), Remedy: "or give a SAS as the query of url, or connectionString"}
	}
	return container.NewClient(withoutQuery(where), token, clientOpts)
}

// noRedirect keeps credentials with the host that they are for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func withoutQuery(u *url.URL) string {
	bare := *u
	bare.RawQuery = ""
	return bare.String()
}

func newToken(cfg AzureIdentity, opts azcore.ClientOptions) (azcore.TokenCredential, error) {
	switch cfg.Identity {
	case IdentityWorkload:
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: opts, ClientID: cfg.ClientID, TenantID: cfg.TenantID,
			DisableInstanceDiscovery: cfg.DisableInstanceDiscovery,
		})
	case IdentityManaged:
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: opts}
		if cfg.ClientID != "" {
			o.ID = azidentity.ClientID(cfg.ClientID)
		}
		return azidentity.NewManagedIdentityCredential(o)
	default:
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: opts, TenantID: cfg.TenantID,
			DisableInstanceDiscovery: cfg.DisableInstanceDiscovery,
		})
	}
}
