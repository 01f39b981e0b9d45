package ociimage

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// Image is an image for one platform.
type Image struct {
	Architecture string // such as "arm64"; the system is Linux
	Layers       []Layer
	User         string
	WorkingDir   string
	Entrypoint   []string
	Cmd          []string
	Env          []string
	Labels       map[string]string
}

// The media types of the OCI image specification.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []descriptor      `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type config struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       execution `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
}

type execution struct {
	User       string            `json:"User,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// Write writes an archive with one index of the images, and returns its digest:
// what a registry will call it. at is the time of all files, in whole seconds;
// name is an image's with its tag, such as "docker.io/library/datafeed:1.2.0".
func Write(w io.Writer, name string, at time.Time, images ...Image) (string, error) {
	at = at.UTC().Truncate(time.Second)
	a := archive{w: tar.NewWriter(w), at: at, written: map[string]bool{}}
	if err := a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return "", err
	}
	all := index{SchemaVersion: 2, MediaType: typeIndex}
	for _, image := range images {
		d, err := a.image(image)
		if err != nil {
			return "", fmt.Errorf("image for %s: %w", image.Architecture, err)
		}
		all.Manifests = append(all.Manifests, d)
	}
	top, err := a.document(typeIndex, all)
	if err != nil {
		return "", err
	}
	_, tag, _ := strings.Cut(path.Base(name), ":") // behind the port of a registry
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": name}
	outer, err := json.Marshal(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{top}})
	if err != nil {
		return "", err
	}
	return top.Digest, errors.Join(a.file("index.json", outer), a.w.Close())
}

// archive is a tar file with a layout.
type archive struct {
	w       *tar.Writer
	at      time.Time
	written map[string]bool
}

func (a *archive) file(name string, data []byte) error {
	if err := a.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: a.at, Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("archive: %s: %w", name, err)
	}
	if _, err := a.w.Write(data); err != nil {
		return fmt.Errorf("archive: %s: %w", name, err)
	}
	return nil
}

// blob adds data under its digest, once.
func (a *archive) blob(mediaType string, data []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digest(data), Size: len(data)}
	if a.written[d.Digest] {
		return d, nil
	}
	a.written[d.Digest] = true
	return d, a.file("blobs/"+strings.Replace(d.Digest, ":", "/", 1), data)
}

func (a *archive) document(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return a.blob(mediaType, data)
}

func (a *archive) image(i Image) (descriptor, error) {
	c := config{
		Created: a.at, Architecture: i.Architecture, OS: "linux",
		Config: execution{User: i.User, Env: i.Env, Entrypoint: i.Entrypoint, Cmd: i.Cmd, WorkingDir: i.WorkingDir, Labels: i.Labels},
		RootFS: rootFS{Type: "layers"},
	}
	m := manifest{SchemaVersion: 2, MediaType: typeManifest, Annotations: i.Labels}
	for _, l := range i.Layers {
		packed, diffID, err := l.pack(a.at)
		if err != nil {
			return descriptor{}, err
		}
		d, err := a.blob(typeLayer, packed)
		if err != nil {
			return descriptor{}, err
		}
		m.Layers, c.RootFS.DiffIDs = append(m.Layers, d), append(c.RootFS.DiffIDs, diffID)
	}
	var err error
	if m.Config, err = a.document(typeConfig, c); err != nil {
		return descriptor{}, err
	}
	d, err := a.document(typeManifest, m)
	d.Platform = &platform{i.Architecture, "linux"}
	return d, err
}
