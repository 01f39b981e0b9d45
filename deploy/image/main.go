// Command image builds the image of feed with the Go toolchain alone, without a
// daemon: an archive in the form of the Open Container Initiative, for amd64 and
// arm64, with nothing in it but the static binary, the certificates of public
// authorities, a user, a directory for data, and a bill of materials. "make
// image" runs it. The same commit and Go version give the same bytes.
package main

import (
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/internal/ociimage"
)

// defaultName is what the overlays for trying things ask for, in full, as containerd
// takes it from the archive: an image that was imported is then not pulled.
const defaultName = "docker.io/library/datafeed:local"

func main() {
	out := flag.String("o", "bin/feed-image.tar", "archive to write")
	name := flag.String("name", defaultName, "name and tag within the archive")
	architectures := flag.String("arch", "amd64,arm64", "architectures")
	pkg := flag.String("package", "./cmd/feed", "package of the binary")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := build(ctx, *out, *name, *pkg, strings.Split(*architectures, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		stop()
		os.Exit(1)
	}
}

func build(ctx context.Context, out, name, pkg string, architectures []string) (err error) {
	dir, err := os.MkdirTemp("", "feed-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	certificates, err := certificates()
	if err != nil {
		return err
	}
	var images []ociimage.Image
	var at time.Time
	for _, arch := range architectures {
		binary := filepath.Join(dir, arch)
		if err := compile(ctx, binary, pkg, arch); err != nil {
			return err
		}
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return err
		}
		if at, err = created(info); err != nil {
			return err
		}
		data, err := os.ReadFile(binary)
		if err != nil {
			return err
		}
		sbom, err := ociimage.SBOM(info, at)
		if err != nil {
			return err
		}
		images = append(images, image(arch, data, sbom, certificates, info, at))
		fmt.Printf("%s: binary %.1f MB, %d modules\n", arch, float64(len(data))/1e6, len(info.Deps))
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(out), ".feed-image-*")
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) { // it has not been renamed
			err = errors.Join(err, gone)
		}
	}()
	digest, err := ociimage.Write(f, name, at, images...)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	st, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.1f MB, %s\n", out, float64(st.Size())/1e6, digest)
	return nil
}

// compile builds the binary, alike in every directory.
func compile(ctx context.Context, binary, pkg, arch string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build for %s: %w", arch, err)
	}
	return nil
}

// created is the time of all that is in the image: SOURCE_DATE_EPOCH
// (https://reproducible-builds.org/specs/source-date-epoch/), or that of the
// commit, or 1970.
func created(info *buildinfo.BuildInfo) (time.Time, error) {
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		s, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		return time.Unix(s, 0), nil
	}
	if text := setting(info, "vcs.time"); text != "" {
		return time.Parse(time.RFC3339, text)
	}
	return time.Unix(0, 0), nil
}

func setting(info *buildinfo.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// nonroot is the user that distroless images have under this name.
const nonroot = 65532

// image lays out what deploy/Dockerfile makes, too.
func image(arch string, binary, sbom, certificates []byte, info *buildinfo.BuildInfo, at time.Time) ociimage.Image {
	version := cmp.Or(setting(info, "vcs.revision"), "unknown")
	if m := info.Main.Version; m != "" && m != "(devel)" {
		version = m
	}
	return ociimage.Image{
		Architecture: arch,
		Layers: []ociimage.Layer{
			{
				{Name: "etc/", Mode: 0o755},
				{Name: "etc/group", Mode: 0o644, Data: []byte("root:x:0:\nnonroot:x:65532:\n")},
				{Name: "etc/nsswitch.conf", Mode: 0o644, Data: []byte("hosts: files dns\n")},
				{Name: "etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")},
				{Name: "etc/ssl/", Mode: 0o755},
				{Name: "etc/ssl/certs/", Mode: 0o755},
				{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: certificates},
				{Name: "tmp/", Mode: 0o1777},
				{Name: "var/", Mode: 0o755},
				{Name: "var/lib/", Mode: 0o755},
				{Name: "var/lib/feed/", Mode: 0o700, User: nonroot}, // a volume takes owner and mode of the directory it is mounted over
			},
			{
				{Name: "usr/", Mode: 0o755},
				{Name: "usr/local/", Mode: 0o755},
				{Name: "usr/local/bin/", Mode: 0o755},
				{Name: "usr/local/bin/feed", Mode: 0o755, Data: binary},
				{Name: "usr/share/", Mode: 0o755},
				{Name: "usr/share/sbom/", Mode: 0o755},
				{Name: "usr/share/sbom/feed.cdx.json", Mode: 0o644, Data: sbom},
			},
		},
		User:       "65532:65532",
		WorkingDir: "/var/lib/feed",
		Entrypoint: []string{"/usr/local/bin/feed"},
		Cmd:        []string{"run", "/etc/feed/feed.yaml"},
		Env:        []string{"PATH=/usr/local/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "feed",
			"org.opencontainers.image.source":   "https://" + info.Main.Path,
			"org.opencontainers.image.revision": setting(info, "vcs.revision"),
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.created":  at.UTC().Format(time.RFC3339),
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
}
