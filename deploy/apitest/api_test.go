package apitest

import (
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestAPIServer has one server for all that it is shown, as it takes longer to start than to answer.
func TestAPIServer(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts an API server, which a -short run does not")
	}
	c := &cluster{server: testenv.Kubernetes(t, programs(t)), kinds: map[string]kind{}}
	t.Logf("kube-apiserver %s", at(c.send(t, "GET", "/version", nil, nil).body, "gitVersion"))
	// Their owners are there before the feed.
	c.createNamespaces(t, "azure-iot-operations", "flux-system", "argocd")

	t.Run("PlainCluster", func(t *testing.T) { testPlainCluster(t, c) })
	c.define(t)
	t.Run("Overlays", func(t *testing.T) { testOverlays(t, c) })
	t.Run("LargerVolumes", func(t *testing.T) { testLargerVolumes(t, c) })
	t.Run("GitOps", func(t *testing.T) { testGitOps(t, c) })
	t.Run("AzureIoTOperations", func(t *testing.T) { testAzureIoTOperations(t, c) })
	t.Run("Mistakes", func(t *testing.T) { testMistakes(t, c) })
}
