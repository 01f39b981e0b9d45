package kube

import (
	"slices"
	"strings"
	"testing"
)

const exampleZeros = "000000000000000000000000000000000000000000000000000000000000000"

// TestImageWarnings: an entry that no image has the name of, and a digest that nobody has reckoned, are told of with what
// to write.
func TestImageWarnings(t *testing.T) {
	base := []string{
		"base/kustomization.yaml", "resources: [pods.yaml]\nimages: [{name: feed, newName: plant.example/feed, digest: 'sha256:" + exampleZeros + "1'}]\n",
		"base/pods.yaml", `apiVersion: batch/v1
kind: CronJob
metadata: {name: validate}
spec: {jobTemplate: {spec: {template: {spec: {initContainers: [{name: wait, image: "localhost:5000/wait:1"}], containers: [{name: feed, image: feed}]}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: bridge}
spec: {containers: [{name: feed, image: feed}]}
`,
	}
	digest := "'sha256:" + strings.Repeat("a1", 32) + "'"
	const example = "the image plant.example/feed@sha256:" + exampleZeros + "1 has the digest of an example, which no registry has: write the one that it has in yours below images: of site"
	for name, test := range map[string]struct {
		images string
		want   []string
	}{
		"no entry": {"", []string{example}},
		"the name of before": {"images: [{name: feed, digest: " + digest + "}]", []string{
			`site/kustomization.yaml: images: no image has the name "feed", so that this entry changes nothing: there are localhost:5000/wait, plant.example/feed`, example,
		}},
		"the whole name":        {"images: [{name: plant.example/feed, digest: " + digest + "}]", nil},
		"what it has already":   {"images: [{name: localhost:5000/wait, newTag: '1'}, {name: plant.example/feed, digest: " + digest + "}]", nil},
		"two of one name":       {"images: [{name: plant.example/feed, newName: a/feed}, {name: a/feed, digest: " + digest + "}]", nil},
		"the digest of another": {"images: [{name: plant.example/feed, newName: a/feed, digest: 'sha256:" + exampleZeros + "7'}]", []string{strings.NewReplacer("plant.example", "a", exampleZeros+"1", exampleZeros+"7").Replace(example)}},
	} {
		t.Run(name, func(t *testing.T) {
			all := tree(append(base, "site/kustomization.yaml", "resources: [../base]\n"+test.images+"\n")...)
			objects, err := Render(all, "site")
			if err != nil {
				t.Fatal(err)
			}
			got, err := ImageWarnings(all, "site", objects)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
