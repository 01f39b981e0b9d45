package kube

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// exampleDigest is one that nobody has reckoned: zeros, and a number to tell it from others.
var exampleDigest = regexp.MustCompile(`@sha256:0{60}`)

// ImageWarnings tells, a line each, of what kustomize says nothing about: an entry of images in the kustomization of dir
// itself that no image has the name of, and an image of rendered, which Render has made of dir, with the digest of an
// example.
func ImageWarnings(tree fs.FS, dir string, rendered []Object) ([]string, error) {
	warnings, err := unusedImages(tree, dir)
	if err != nil {
		return nil, err
	}
	images, err := imagesOf(rendered)
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		if exampleDigest.MatchString(image) {
			warnings = append(warnings, fmt.Sprintf("the image %s has the digest of an example, which no registry has: write the one that it has in yours below images: of %s", image, dir))
		}
	}
	return warnings, nil
}

// unusedImages tells of each entry of images in the kustomization of dir that no image has the name of.
func unusedImages(tree fs.FS, dir string) ([]string, error) {
	file, text, err := kustomization(tree, dir)
	if err != nil {
		return nil, err
	}
	var site map[string]any
	var own struct{ Images []types.Image }
	if err := yaml.Unmarshal(text, &own); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := yaml.Unmarshal(text, &site); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(own.Images) == 0 {
		return nil, nil
	}
	delete(site, "images")
	without, err := yaml.Marshal(site)
	if err != nil {
		return nil, err
	}
	disk, err := inMemory(tree)
	if err != nil {
		return nil, err
	}
	if err := disk.WriteFile(path.Join("/", file), without); err != nil {
		return nil, err
	}
	objects, err := build(disk, dir)
	if err != nil {
		return nil, err
	}
	before, err := imagesOf(objects)
	if err != nil {
		return nil, err
	}
	return unused(file, own.Images, before)
}

// unused has kustomize itself apply the entries to the images, one after the other as it does, and looks for what changes.
func unused(file string, entries []types.Image, images []string) ([]string, error) {
	var holders []*kyaml.RNode
	var names []string
	for _, image := range images {
		holders = append(holders, kyaml.NewMapRNode(&map[string]string{"image": image}))
		name, _, _ := strings.Cut(image, "@")
		if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
			name = name[:colon]
		}
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)

	var warnings []string
	for _, entry := range entries {
		found := false
		filter := imagetag.Filter{ImageTag: entry, FsSlice: types.FsSlice{{Path: "image"}}}
		filter.WithMutationTracker(func(_, _, _ string, _ *kyaml.RNode) { found = true })
		if _, err := filter.Filter(holders); err != nil {
			return nil, fmt.Errorf("%s: images: %s: %w", file, entry.Name, err)
		}
		if !found {
			warnings = append(warnings, fmt.Sprintf("%s: images: no image has the name %q, so that this entry changes nothing: there are %s", file, entry.Name, cmp.Or(strings.Join(names, ", "), "none")))
		}
	}
	return warnings, nil
}

// imagesOf returns the images of all containers of the objects, sorted, each once.
func imagesOf(all []Object) ([]string, error) {
	var images []string
	for _, object := range all {
		var content any
		if err := yaml.Unmarshal(object.YAML, &content); err != nil {
			return nil, fmt.Errorf("%s: %w", object.ID(), err)
		}
		images = append(images, imagesIn(content)...)
	}
	slices.Sort(images)
	return slices.Compact(images), nil
}

// imagesIn finds the images of containers, at whatever depth a kind has its pods.
func imagesIn(content any) []string {
	var images []string
	switch content := content.(type) {
	case map[string]any:
		for key, value := range content {
			if containers, ok := value.([]any); ok && (key == "containers" || key == "initContainers") {
				for _, container := range containers {
					if container, ok := container.(map[string]any); ok {
						if image, ok := container["image"].(string); ok {
							images = append(images, image)
						}
					}
				}
				continue
			}
			images = append(images, imagesIn(value)...)
		}
	case []any:
		for _, value := range content {
			images = append(images, imagesIn(value)...)
		}
	}
	return images
}
