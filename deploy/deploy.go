// Package deploy holds the trees that kustomize renders, embedded, so that the binary has those of its own version.
package deploy

import (
	"embed"
	"io/fs"
)

//go:embed k8s
var files embed.FS

// Tree returns the tree for Kubernetes: the directories base, components and overlays. It is read-only.
func Tree() fs.FS {
	tree, err := fs.Sub(files, "k8s")
	if err != nil {
		panic(err) // the name above is not a path
	}
	return tree
}
