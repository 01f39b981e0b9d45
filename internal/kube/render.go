package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Render returns the objects that kustomize makes of a directory of the tree, in the order in which it gives them out.
//
// It reads the tree and nothing else: a kustomization that names an address, or a file outside of the tree, is an error.
// Nothing is written, and no other program is run.
func Render(tree fs.FS, dir string) ([]Object, error) {
	if err := checkLocal(tree, path.Clean(dir), map[string]bool{}); err != nil {
		return nil, err
	}
	disk, err := inMemory(tree)
	if err != nil {
		return nil, err
	}
	return build(disk, dir)
}

// build has kustomize make the objects of a directory of its own kind of file system.
func build(disk filesys.FileSystem, dir string) ([]Object, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, path.Join("/", dir))
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", dir, err)
	}
	return objects(resources)
}

// inMemory copies the tree: kustomize reads file systems of its own kind only.
func inMemory(tree fs.FS) (filesys.FileSystem, error) {
	disk := filesys.MakeFsInMemory()
	return disk, fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return disk.WriteFile(path.Join("/", name), content)
	})
}

func objects(resources resmap.ResMap) ([]Object, error) {
	var all []Object
	for _, resource := range resources.Resources() {
		document, err := resource.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("rendering %s: %w", resource.CurId(), err)
		}
		object, err := parse(document)
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	if len(all) == 0 {
		return nil, errors.New("nothing was rendered: the kustomization names no resources")
	}
	return all, nil
}
