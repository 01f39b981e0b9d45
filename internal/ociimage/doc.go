// Package ociimage writes images of containers without a daemon: an archive of an
// OCI image layout (https://github.com/opencontainers/image-spec, version 1.1),
// which registries, containerd, Podman and Docker load. The same contents give
// the same bytes.
package ociimage
