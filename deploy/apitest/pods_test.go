package apitest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube"
)

// testPods asks for the Pods that controllers would make of the objects: only Pods are held to the namespace's Pod Security
// level, and are given a token unless they decline it.
func testPods(t *testing.T, c *cluster, objects []kube.Object) {
	t.Helper()
	n := 0
	for _, o := range objects {
		object := fields(t, o)
		if podTemplate(object) == nil {
			continue
		}
		n++
		taken := c.createPod(t, pod(o, object))
		if refusal := taken.refusal(); refusal != "" {
			t.Errorf("%s: its pods are refused: %s", o.ID(), refusal)
			continue
		}
		for _, warning := range taken.warnings {
			t.Errorf("%s: of its pods, the API server warns: %s", o.ID(), warning)
		}
		if givenToken(taken.body) {
			t.Errorf("%s: its pods are given a token for the API server", o.ID())
		}
	}
	if n < 7 {
		t.Errorf("pods of %d objects were asked for", n)
	}
}

// givenToken reports whether the API server has added a token for itself to a Pod.
func givenToken(pod any) bool {
	return slices.ContainsFunc(list(at(pod, "spec", "volumes")), func(volume any) bool {
		return strings.HasPrefix(at(volume, "name").(string), "kube-api-access-")
	})
}

// createPod asks what would become of the Pod, as no kubelet is there to end it.
func (c *cluster) createPod(t *testing.T, pod any) answer {
	t.Helper()
	return c.create(t, "/api/v1/namespaces/"+namespace+"/pods?dryRun=All&fieldValidation=Strict", pod, http.Header{})
}

// pod is what a controller makes of an object's template.
func pod(o kube.Object, object map[string]any) map[string]any {
	template := podTemplate(object)
	spec := template["spec"].(map[string]any)
	for _, claim := range list(at(object, "spec", "volumeClaimTemplates")) {
		name := at(claim, "metadata", "name").(string)
		spec["volumes"] = append(list(spec["volumes"]), map[string]any{
			"name": name, "persistentVolumeClaim": map[string]any{"claimName": name + "-" + o.Name + "-0"},
		})
	}
	metadata := map[string]any{"name": o.Name + "-0", "namespace": o.Namespace}
	for _, field := range []string{"labels", "annotations"} {
		if value := at(template, "metadata", field); value != nil {
			metadata[field] = value
		}
	}
	return map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
}

// podTemplate is that of a Deployment, a StatefulSet or a CronJob, and of other objects nil.
func podTemplate(object any) map[string]any {
	if job := at(object, "spec", "jobTemplate"); job != nil {
		object = job
	}
	template, _ := at(object, "spec", "template").(map[string]any)
	if containers(template) == nil {
		return nil
	}
	return template
}

func containers(template any) []any {
	return append(list(at(template, "spec", "containers")), list(at(template, "spec", "initContainers"))...)
}
