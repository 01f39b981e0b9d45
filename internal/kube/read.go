package kube

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Sites returns the names of a tree's sites: the directories below overlays that have a kustomization.
func Sites(tree fs.FS) ([]string, error) {
	found, err := fs.Glob(tree, "overlays/*/kustomization.y*ml")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range found {
		names = append(names, path.Base(path.Dir(file)))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ReadRendered reads what was rendered before: a file, or all files of a directory whose names end in .yaml or .yml, in the
// order of their names.
func ReadRendered(name string) ([]Object, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	files := []string{name}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(name, "*.y*ml")); err != nil {
			return nil, err
		}
	}
	var all []Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there are no objects in it", name)
	}
	return all, nil
}
