package e2e_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// statefulSet is what the test looks at in a manifest.
type statefulSet struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Spec       struct {
		Replicas int `yaml:"replicas"`
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"selector"`
		Template struct {
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
			} `yaml:"metadata"`
			Spec struct {
				Containers []struct {
					Args []string `yaml:"args"`
					Env  []struct {
						Name string `yaml:"name"`
					} `yaml:"env"`
					VolumeMounts []struct {
						Name      string `yaml:"name"`
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				} `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
		VolumeClaimTemplates []struct {
			Metadata struct {
				Name string `yaml:"name"`
			} `yaml:"metadata"`
		} `yaml:"volumeClaimTemplates"`
	} `yaml:"spec"`
}

// TestTheManifestFitsTheExample: the StatefulSet in docs/scaling.md gives the
// example's file what it asks for.
func TestTheManifestFitsTheExample(t *testing.T) {
	var m statefulSet
	if err := yaml.Unmarshal([]byte(documented(t, "kind: StatefulSet")), &m); err != nil {
		t.Fatal(err)
	}
	var example struct {
		Quarantine struct {
			Path string `yaml:"path"`
		} `yaml:"quarantine"`
		Routes map[string]struct {
			Source struct {
				AMQP struct {
					Declare struct {
						Shards struct {
							Queues []string `yaml:"queues"`
						} `yaml:"shards"`
					} `yaml:"declare"`
				} `yaml:"amqp"`
			} `yaml:"source"`
		} `yaml:"routes"`
	}
	text := shardExample(t)
	if err := yaml.Unmarshal([]byte(text), &example); err != nil {
		t.Fatal(err)
	}
	if m.APIVersion != "apps/v1" || len(m.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("not the manifest that this test knows: %+v", m)
	}
	if queues := example.Routes["mqtt"].Source.AMQP.Declare.Shards.Queues; len(queues) != shards || m.Spec.Replicas != shards {
		t.Errorf("%d replicas for the shards %v, want one each, and %d", m.Spec.Replicas, queues, shards)
	}
	if got, want := m.Spec.Template.Metadata.Labels["app"], m.Spec.Selector.MatchLabels["app"]; got == "" || got != want {
		t.Errorf("the pods have the label app %q, the selector %q", got, want)
	}
	container := m.Spec.Template.Spec.Containers[0]
	var env []string
	for _, e := range container.Env {
		env = append(env, e.Name)
	}
	for _, reference := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(env, reference[1]) {
			t.Errorf("the example refers to %s, which the manifest does not set: %v", reference[1], env)
		}
	}
	mounts := map[string]string{}
	for _, v := range container.VolumeMounts {
		mounts[v.Name] = v.MountPath
	}
	if len(m.Spec.VolumeClaimTemplates) != 1 || !strings.HasPrefix(example.Quarantine.Path, mounts[m.Spec.VolumeClaimTemplates[0].Metadata.Name]+"/") {
		t.Errorf("the quarantine %s is on no volume of the pod's own: %v", example.Quarantine.Path, mounts)
	}
	if want := []string{"run", mounts["config"] + "/shard.yaml"}; !slices.Equal(container.Args, want) {
		t.Errorf("the container runs %v, want %v", container.Args, want)
	}
}
