package site

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A Sandbox is a directory that holds what a container finds at its mount paths, so that its process can be run, or its
// files be checked, outside of a cluster. Absolute paths in the files are those of the sandbox.
type Sandbox struct {
	Dir   string
	moved *strings.Replacer
}

// NewSandbox writes a container's files into dir. All mount paths become directories. What stands in an object that the site
// expects to exist, and a file refers to, is a placeholder; that of a certificate is one that nobody has the key of.
func (s *Site) NewSandbox(dir string, w *Workload, c *corev1.Container) (*Sandbox, error) {
	var mounts []string
	for _, mount := range c.VolumeMounts {
		if mount.SubPath == "" {
			mounts = append(mounts, mount.MountPath)
		}
	}
	// The longest first, as one may stand in another.
	slices.SortFunc(mounts, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	var errs []error
	for _, mount := range mounts {
		if mount != "/tmp" {
			pairs = append(pairs, mount, filepath.Join(dir, mount))
		}
		errs = append(errs, os.MkdirAll(filepath.Join(dir, mount), 0o755))
	}
	box := &Sandbox{Dir: dir, moved: strings.NewReplacer(pairs...)}
	for _, file := range s.Files(w, c) {
		content := file.Content
		if !file.Here {
			content = placeholder(file.Key)
		}
		errs = append(errs, box.Write(file.Path, []byte(box.Moved(string(content)))))
	}
	return box, errors.Join(errs...)
}

// Path returns where a container's path is.
func (b *Sandbox) Path(inContainer string) string { return filepath.Join(b.Dir, inContainer) }

// Moved replaces the container's mount paths in a text.
func (b *Sandbox) Moved(text string) string { return b.moved.Replace(text) }

// Write writes a file at a container's path.
func (b *Sandbox) Write(inContainer string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(b.Path(inContainer)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.Path(inContainer), content, 0o600)
}
