package testenv

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/testenv/share"
)

// A Container is a fresh blob container, on a server that speaks as Azure Blob Storage does.
type Container struct {
	Addr          string // host and port of the server
	ServiceURL    string // URL of the account, without a trailing slash
	ContainerName string
	AccountName   string
	AccountKey    string
}

// Azurite returns a fresh container on the shared server, which is started when it does not run yet. The container is
// deleted when the test ends.
func Azurite(t testing.TB) *Container {
	t.Helper()
	needServers(t)
	grant := acquire(t, share.Azurite)
	c := newContainer(t, grant.Addr, grant.User, grant.Password)
	t.Cleanup(func() {
		if _, err := c.client(t).DeleteContainer(within(t, apiTimeout), c.ContainerName, nil); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	return c
}

func newContainer(t testing.TB, addr, account, key string) *Container {
	t.Helper()
	c := &Container{
		Addr: addr, ServiceURL: server.AzuriteURL(addr, account), AccountName: account, AccountKey: key,
		ContainerName: "test-" + strings.ToLower(rand.Text()),
	}
	_, err := c.client(t).CreateContainer(within(t, apiTimeout), c.ContainerName, nil)
	check(t, err)
	return c
}

// client makes a client that keeps no idle connections, which a test that looks for leaks would find.
func (c *Container) client(t testing.TB) *azblob.Client {
	t.Helper()
	client, err := azblob.NewClientFromConnectionString(c.ConnectionString(), &azblob.ClientOptions{
		ClientOptions: azcore.ClientOptions{
			Transport: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		},
	})
	check(t, err)
	return client
}

// ConnectionString is what clients of Azure Storage take.
func (c *Container) ConnectionString() string { return c.ConnectionStringAt(c.Addr) }

// ConnectionStringAt is ConnectionString with another host and port, for example those of a Proxy.
func (c *Container) ConnectionStringAt(addr string) string {
	return server.AzuriteConnectionString(addr, c.AccountName, c.AccountKey)
}

// BlobServer is an Azurite server that belongs to one test. Its embedded Container is one to work in.
type BlobServer struct {
	*Container
	t      testing.TB
	server *server.Azurite
}

// PrivateAzurite starts a server for this test alone, and stops it when the test ends. It keeps blobs on disk: they
// survive Stop and Start.
func PrivateAzurite(t testing.TB) *BlobServer {
	t.Helper()
	needServers(t)
	config := server.AzuriteConfig{Program: share.AzuriteProgram(root(t)), Persistent: true}
	s := start(t, func(dir string) (*server.Azurite, error) { return server.NewAzurite(dir, config) })
	return &BlobServer{Container: newContainer(t, s.Addr(), s.AccountName, s.AccountKey), t: t, server: s}
}

// Start starts the server after Stop or Kill, and returns when it takes connections.
func (b *BlobServer) Start() { b.t.Helper(); check(b.t, b.server.Start(within(b.t, startTimeout))) }

// Stop ends the server in order, and returns when it has ended.
func (b *BlobServer) Stop() { b.t.Helper(); check(b.t, b.server.Stop()) }

// Kill ends the server with SIGKILL, and returns when it has ended. Blobs of the last seconds may be lost, as Azurite
// saves its index every few seconds.
func (b *BlobServer) Kill() { b.t.Helper(); check(b.t, b.server.Kill()) }

// Pause freezes the server with SIGSTOP: connections stay open, and nothing answers.
func (b *BlobServer) Pause() { b.t.Helper(); check(b.t, b.server.Pause()) }

// Resume ends a Pause.
func (b *BlobServer) Resume() { b.t.Helper(); check(b.t, b.server.Resume()) }
