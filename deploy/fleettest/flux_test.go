package fleettest

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/internal/kube"
)

// types are Flux's own, of the versions that its controllers serve.
var types = map[string]func() any{
	source.GroupVersion.String() + " GitRepository":    func() any { return new(source.GitRepository) },
	kustomize.GroupVersion.String() + " Kustomization": func() any { return new(kustomize.Kustomization) },
	helm.GroupVersion.String() + " HelmRelease":        func() any { return new(helm.HelmRelease) },
	"v1 Namespace": func() any { return new(corev1.Namespace) },
}

func TestFluxKnowsEachFieldOfTheTree(t *testing.T) {
	tree := os.DirFS("../gitops")
	for cluster, want := range map[string]int{"site-example-a": 2, "site-example-b": 2, "site-example-helm": 3} {
		objects, err := kube.Render(tree, "flux/clusters/"+cluster)
		if err != nil {
			t.Fatal(err)
		}
		if len(objects) != want {
			t.Errorf("%s has %d objects, want %d", cluster, len(objects), want)
		}
		for _, object := range objects {
			if err := strict(object); err != "" {
				t.Errorf("%s: %s: %s", cluster, object.ID(), err)
			}
			if strings.Contains(string(object.YAML), "each-site-says-which") {
				t.Errorf("%s: %s has what each site must say, unsaid", cluster, object.ID())
			}
		}
	}
	misspelt := kube.Object{APIVersion: kustomize.GroupVersion.String(), Kind: "Kustomization", YAML: []byte("spec: {prunes: true}")}
	if strict(misspelt) == "" {
		t.Error("a field that Flux does not know is taken")
	}
}

func strict(object kube.Object) string {
	of := types[object.APIVersion+" "+object.Kind]
	if of == nil {
		return "Flux has no such type"
	}
	if err := yaml.UnmarshalStrict(object.YAML, of()); err != nil {
		return err.Error()
	}
	return ""
}

// What a site says in its HelmRelease are values that the chart takes.
func TestTheChartTakesTheValuesOfASite(t *testing.T) {
	objects, err := kube.Render(os.DirFS("../gitops"), "flux/clusters/site-example-helm")
	if err != nil {
		t.Fatal(err)
	}
	var release helm.HelmRelease
	for _, object := range objects {
		if object.Kind != "HelmRelease" {
			continue
		}
		if err := yaml.UnmarshalStrict(object.YAML, &release); err != nil {
			t.Fatal(err)
		}
	}
	if release.Spec.Values == nil {
		t.Fatal("the site has no HelmRelease with values")
	}
	values := map[string]any{}
	if err := json.Unmarshal(release.Spec.Values.Raw, &values); err != nil {
		t.Fatal(err)
	}
	stream, err := render(loadChart(t), values)
	if err != nil {
		t.Fatal(err)
	}
	all := byKindAndName(t, stream)
	for id, want := range map[string]bool{"Deployment bridge": true, "Deployment archive": true, "CronJob validate": true, "Deployment ingest": false, "Deployment validator": false, "NetworkPolicy bridge-egress": true} {
		if (all[id] != nil) != want {
			t.Errorf("%s is rendered: %v", id, all[id] != nil)
		}
	}
	if got := at(all["Deployment bridge"], "spec.template.spec.containers.0.image"); !strings.HasPrefix(got.(string), "example.azurecr.io/datafeed/feed@sha256:") {
		t.Errorf("bridge runs %s", got)
	}
	reaches(t, all)
	for _, wait := range []bool{release.GetInstall().DisableWait, release.GetUpgrade().DisableWait, release.GetRollback().DisableWait} {
		if !wait {
			t.Error("an uplink that is down undoes the release: pods are not ready then")
		}
	}
	if namespace := release.GetStorageNamespace(); all["Namespace "+namespace] == nil && !slices.ContainsFunc(objects, func(o kube.Object) bool { return o.Kind == "Namespace" && o.Name == namespace }) {
		t.Errorf("nobody makes the namespace %s, in which the release is kept", namespace)
	}
	if chart := release.Spec.Chart.Spec.Chart; chart != "./deploy/helm/datafeed" {
		t.Errorf("the chart is looked for in %s", chart)
	}
}
