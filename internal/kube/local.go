package kube

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checkLocal sees that all that a kustomization builds on stands in the tree: kustomize would fetch the rest from the network,
// with git.
func checkLocal(tree fs.FS, dir string, seen map[string]bool) error {
	if seen[dir] {
		return nil // a circle, of which kustomize tells
	}
	seen[dir] = true
	file, text, err := kustomization(tree, dir)
	if err != nil {
		return err
	}
	var names struct{ Resources, Components, Bases, CRDs, Transformers, Generators, Validators []string }
	if err := yaml.Unmarshal(text, &names); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, name := range slices.Concat(names.Resources, names.Components, names.Bases, names.CRDs, names.Transformers, names.Generators, names.Validators) {
		if strings.Contains(name, "\n") {
			continue // an object that stands right there
		}
		at := path.Join(dir, name)
		info, err := fs.Stat(tree, at)
		if err != nil {
			return fmt.Errorf("%s: %s is not in the tree: copy it there, as nothing is fetched: %w", file, name, err)
		}
		if info.IsDir() {
			if err := checkLocal(tree, at, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// kustomization returns the file of a directory by one of the names that it may have.
func kustomization(tree fs.FS, dir string) (name string, text []byte, err error) {
	for _, base := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		name = path.Join(dir, base)
		if text, err = fs.ReadFile(tree, name); err == nil {
			return name, text, nil
		}
	}
	return "", nil, fmt.Errorf("%s has no kustomization.yaml: %w", dir, err)
}
