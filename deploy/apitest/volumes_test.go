package apitest

import (
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// Volumes are enlarged as docs/deploy.md says, where their class allows it. The claims of Deployments grow with the site's
// objects; those of StatefulSets are enlarged by hand, and the StatefulSets are taken away and brought back.
func testLargerVolumes(t *testing.T, c *cluster) {
	first := render(t, "prod", "")
	second := render(t, "prod", `patches:
  - target: {kind: PersistentVolumeClaim}
    patch: |
      - {op: replace, path: /spec/resources/requests/storage, value: 80Gi}
  - target: {kind: StatefulSet}
    patch: |
      - {op: replace, path: /spec/volumeClaimTemplates/0/spec/resources/requests/storage, value: 80Gi}
`)
	class := parse(t, `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: grows
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: example.com/grows
allowVolumeExpansion: true
`)
	var made []kube.Object
	defer func() { c.remove(t, class, first, second, made) }()
	c.acceptsAll(t, class)
	c.createNamespaces(t, namespace)
	// The API server hears of what it has taken a moment later.
	testenv.Eventually(t, time.Minute, "claims to be given the class", func() bool {
		claim := find(t, first, "PersistentVolumeClaim bridge-data")
		return at(c.apply(t, claim, "dryRun=All").body, "spec", "storageClassName") == "grows"
	})
	c.acceptsAll(t, first)

	for _, o := range first {
		switch o.Kind {
		case "PersistentVolumeClaim":
			c.bind(t, o)
		case "StatefulSet":
			claim := madeClaim(t, o)
			c.accepts(t, claim)
			c.bind(t, claim)
			made = append(made, claim)
		}
	}
	if len(made) != 2 {
		t.Errorf("there are %d claims of StatefulSets", len(made))
	}
	for _, claim := range made {
		if refusal := c.merge(t, c.address(t, claim), `{"spec": {"resources": {"requests": {"storage": "80Gi"}}}}`).refusal(); refusal != "" {
			t.Errorf("%s cannot grow: %s", claim.ID(), refusal)
		}
	}
	for _, o := range second {
		if o.Kind == "StatefulSet" {
			if refusal := c.apply(t, o).refusal(); !strings.Contains(refusal, "updates to statefulset spec") {
				t.Errorf("%s, while it is there: %q", o.ID(), refusal)
			}
			c.delete(t, o, "Orphan")
		}
	}
	c.acceptsAll(t, second)
}

// madeClaim is the claim that the controller makes for the only pod of a StatefulSet.
func madeClaim(t *testing.T, statefulSet kube.Object) kube.Object {
	t.Helper()
	template := list(at(fields(t, statefulSet), "spec", "volumeClaimTemplates"))[0]
	name := at(template, "metadata", "name").(string) + "-" + statefulSet.Name + "-0"
	size := at(template, "spec", "resources", "requests", "storage").(string)
	return parse(t, `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: `+name+`, namespace: `+namespace+`}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: `+size+`}}
`)[0]
}

// bind says of a claim what is said of it once it has a volume: others cannot grow.
func (c *cluster) bind(t *testing.T, claim kube.Object) {
	t.Helper()
	if refusal := c.merge(t, c.address(t, claim)+"/status", `{"status": {"phase": "Bound"}}`).refusal(); refusal != "" {
		t.Fatalf("%s: %s", claim.ID(), refusal)
	}
}
