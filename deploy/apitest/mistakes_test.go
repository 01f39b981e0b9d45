package apitest

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// testMistakes plants what may go wrong in objects that the API server took a moment ago, and wants it to refuse each: a
// server that takes anything would pass all the other tests.
func testMistakes(t *testing.T, c *cluster) {
	objects := render(t, "prod", "")
	defer func() { c.remove(t, objects) }()
	for _, tree := range []string{"flux/clusters/site-example-a", "flux/clusters/site-example-helm"} {
		rendered, err := kube.Render(os.DirFS("../gitops"), tree)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, rendered...)
	}
	for _, file := range []string{"../gitops/argocd/applicationset.yaml", "../azure/aio/broker.yaml"} {
		objects = append(objects, read(t, file)...)
	}
	for _, o := range objects {
		c.accepts(t, o)
	}
	for _, m := range []struct{ what, object, from, to, want string }{
		{"an unknown field", "Deployment bridge", "  replicas: 1", "  replica: 1", ".spec.replica: field not declared in schema"},
		{"an unknown field, deep", "StatefulSet rabbitmq", "failureThreshold: 120", "failuresThreshold: 120", "failuresThreshold: field not declared in schema"},
		{"a wrong type", "Deployment bridge", "  replicas: 1", "  replicas: one", "replicas"},
		{"a required field left out", "Deployment bridge", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: bridge\n", "", "spec.selector: Required value"},
		{"a key twice", "Deployment bridge", "  replicas: 1", "  replicas: 1\n  replicas: 2", `key "replicas" already set`},
		{"a port's name", "Deployment bridge", "          name: admin", "          name: administration-port", "must be no more than 15 characters"},
		{"a volume that is not there", "Deployment bridge", "          name: tmp", "          name: temporary", `].name: Not found: "temporary"`},
		{"a request above its limit", "Deployment bridge", "memory: 128Mi", "memory: 1Gi", "must be less than or equal to memory limit"},
		{"a label of the selector that pods lack", "StatefulSet rabbitmq", "    metadata:\n      labels:\n        app.kubernetes.io/name: rabbitmq\n", "    metadata:\n      labels:\n        app.kubernetes.io/name: other\n", "`selector` does not match template `labels`"},
		{"a schedule", "CronJob validate", "schedule: 23 5,17 * * *", "schedule: 23 5,17 * *", "spec.schedule: Invalid value"},
		{"a time zone", "CronJob validate", "timeZone: Etc/UTC", "timeZone: Etc/Utopia", "unknown time zone Etc/Utopia"},
		{"a network", "NetworkPolicy devices", "cidr: ", "cidr: 1", "cidr: Invalid value"},
		{"two budgets in one", "PodDisruptionBudget bridge", "maxUnavailable: 1", "maxUnavailable: 1\n  minAvailable: 1", "minAvailable and maxUnavailable cannot be both set"},
		{"another selector", "Deployment bridge", "    matchLabels:\n      app.kubernetes.io/name: bridge\n", "    matchLabels:\n      app.kubernetes.io/name: other\n", "field is immutable"},
		{"a larger volume of a StatefulSet", "StatefulSet rabbitmq", "storage: 5Gi", "storage: 10Gi", "updates to statefulset spec for fields other than"},
		{"a smaller volume", "PersistentVolumeClaim bridge-data", "storage: 2Gi", "storage: 1Gi", "spec is immutable after creation except resources.requests"},
		{"a field that the Prometheus operator does not know", "PrometheusRule datafeed", "  - name: datafeed.validation", "  - title: x\n    name: datafeed.validation", "title: field not declared in schema"},
		{"a duration of Prometheus", "PodMonitor datafeed", "interval: 30s", "interval: 30 seconds", "should match"},
		{"a field that Flux does not know", "GitRepository datafeed-config", "  url:", "  uri: x\n  url:", ".spec.uri: field not declared in schema"},
		{"an interval of Flux", "Kustomization datafeed", "interval: 10m", "interval: ten minutes", "spec.interval: Invalid value"},
		{"no source of a chart", "HelmRelease datafeed", "kind: GitRepository", "kind: Chart", `Unsupported value: "Chart"`},
		{"a field that Argo CD does not know", "ApplicationSet datafeed", "goTemplate: true", "goTemplates: true", ".spec.goTemplates: field not declared in schema"},
		{"a value that Azure IoT Operations does not know", "Broker default", "maxSize: 5Gi", "maxSize: 5 GB", "should match"},
		{"a field that Azure IoT Operations does not have", "Broker default", "maxSize: 5Gi", "maximum: 5Gi", "maximum: field not declared in schema"},
	} {
		t.Run(m.what, func(t *testing.T) {
			planted := plant(t, find(t, objects, m.object), m.from, m.to)
			if refusal := c.apply(t, planted, "dryRun=All").refusal(); !strings.Contains(refusal, m.want) {
				t.Errorf("want %q, got %q", m.want, refusal)
			}
		})
	}
	t.Run("Pods", func(t *testing.T) { testMistakenPods(t, c, find(t, objects, "Deployment bridge")) })
	t.Run("Token", func(t *testing.T) { testToken(t, c, find(t, objects, "Deployment bridge")) })
	t.Run("Warnings", func(t *testing.T) { testWarnings(t, c, find(t, objects, "Deployment bridge")) })
	t.Run("Rights", func(t *testing.T) { testRightTooMany(t, c) })
}

// Pods are held to the level "restricted", and to the account that they name.
func testMistakenPods(t *testing.T, c *cluster, deployment kube.Object) {
	for _, m := range []struct{ what, from, to, want string }{
		{"privileged", "allowPrivilegeEscalation: false", "privileged: true", `violates PodSecurity "restricted:latest": privileged`},
		{"with capabilities", "drop:\n            - ALL", "drop: []", "unrestricted capabilities"},
		{"as root", "runAsUser: 65532", "runAsUser: 0", "runAsUser=0"},
		{"with a directory of the node", "  - emptyDir:\n          sizeLimit: 64Mi", "  - hostPath: {path: /tmp}", "restricted volume types"},
		{"with no account", "serviceAccountName: bridge", "serviceAccountName: bridges", "error looking up service account " + namespace + "/bridges"},
	} {
		t.Run(m.what, func(t *testing.T) {
			planted := plant(t, deployment, m.from, m.to)
			if refusal := c.createPod(t, pod(planted, fields(t, planted))).refusal(); !strings.Contains(refusal, m.want) {
				t.Errorf("want %q, got %q", m.want, refusal)
			}
		})
	}
}

// A pod that does not decline a token is taken, and given one.
func testToken(t *testing.T, c *cluster, deployment kube.Object) {
	planted := plant(t, deployment, "automountServiceAccountToken: false", "automountServiceAccountToken: true")
	taken := c.createPod(t, pod(planted, fields(t, planted)))
	if refusal := taken.refusal(); refusal != "" {
		t.Fatal(refusal)
	}
	if !givenToken(taken.body) {
		t.Errorf("no token is seen among the volumes %v", at(taken.body, "spec", "volumes"))
	}
}

// What is taken with a warning is seen, too.
func testWarnings(t *testing.T, c *cluster, deployment kube.Object) {
	for _, m := range []struct{ what, from, to, want string }{
		{"pods that would be refused", "allowPrivilegeEscalation: false", "privileged: true", "would violate PodSecurity"},
		{"a label of old", "      serviceAccountName: bridge", "      nodeSelector: {beta.kubernetes.io/os: linux}\n      serviceAccountName: bridge", "deprecated since v1.14"},
	} {
		t.Run(m.what, func(t *testing.T) {
			answer := c.apply(t, plant(t, deployment, m.from, m.to), "dryRun=All")
			if refusal := answer.refusal(); refusal != "" {
				t.Fatal(refusal)
			}
			if all := strings.Join(answer.warnings, "\n"); !strings.Contains(all, m.want) {
				t.Errorf("want %q, got %q", m.want, all)
			}
		})
	}
}

// An account with a right of its own is told from one without.
func testRightTooMany(t *testing.T, c *cluster) {
	objects := parse(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: planted, namespace: `+namespace+`}
rules:
  - {apiGroups: [""], resources: [secrets], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: planted, namespace: `+namespace+`}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: planted}
subjects:
  - {kind: ServiceAccount, name: bridge}
`)
	before := c.rights(t, namespace, "bridge")
	defer c.remove(t, objects)
	c.acceptsAll(t, objects)
	var after []string
	// The API server hears of what it has taken a moment later.
	testenv.Eventually(t, time.Minute, "the right to be known", func() bool {
		after = c.rights(t, namespace, "bridge")
		return len(after) > len(before)
	})
	if all := strings.Join(after, "\n"); !strings.Contains(all, "secrets") {
		t.Errorf("the account bridge has the rights\n%s", all)
	}
}

// plant replaces the first occurrence of a text, which must be there.
func plant(t *testing.T, o kube.Object, from, to string) kube.Object {
	t.Helper()
	if !strings.Contains(string(o.YAML), from) {
		t.Fatalf("%s has no %q:\n%s", o.ID(), from, o.YAML)
	}
	o.YAML = []byte(strings.Replace(string(o.YAML), from, to, 1))
	return o
}

// find is the object of a kind and a name.
func find(t *testing.T, objects []kube.Object, kindAndName string) kube.Object {
	t.Helper()
	i := slices.IndexFunc(objects, func(o kube.Object) bool { return o.Kind+" "+o.Name == kindAndName })
	if i < 0 {
		t.Fatalf("there is no %s", kindAndName)
	}
	return objects[i]
}
