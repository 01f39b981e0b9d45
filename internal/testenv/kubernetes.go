package testenv

import (
	"net/http"
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// An APIServer is a Kubernetes API server that belongs to one test. Nothing comes of the objects that it takes.
type APIServer struct {
	URL    string       // https://, host and port
	Token  string       // the bearer token of somebody who may do anything
	Client *http.Client // trusts the server's certificate
}

// Kubernetes starts an API server with an etcd of its own, out of programs that the test has built, and stops both when the
// test ends. When the test has failed, it shows the end of the API server's log.
func Kubernetes(t testing.TB, config server.KubernetesConfig) *APIServer {
	t.Helper()
	needServers(t)
	s := start(t, func(dir string) (*server.Kubernetes, error) { return server.NewKubernetes(dir, config) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the API server's log ends with:\n%s", s.LogEnd())
		}
	})
	client, err := s.Client()
	check(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return &APIServer{URL: s.URL(), Token: s.Token(), Client: client}
}
