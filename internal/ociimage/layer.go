package ociimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"
)

// File is a file of a layer, or a directory when Data is nil and its name ends
// in a slash.
type File struct {
	Name string // without a slash before it
	Mode int64  // such as 0o755
	User int    // and group
	Data []byte
}

// Layer is a set of files, in the order in which they are unpacked: directories
// before what they hold.
type Layer []File

// pack returns the layer as gzip, and the digest of what is within.
func (l Layer) pack(at time.Time) (packed []byte, diffID string, err error) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, f := range l {
		if f.Name != strings.TrimPrefix(path.Clean(f.Name), "/") && f.Name != path.Clean(f.Name)+"/" {
			return nil, "", fmt.Errorf("layer: %q is no clean relative path", f.Name)
		}
		h := &tar.Header{Name: f.Name, Mode: f.Mode, Uid: f.User, Gid: f.User, Size: int64(len(f.Data)), ModTime: at, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if strings.HasSuffix(f.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, "", fmt.Errorf("layer: %s: %w", f.Name, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, "", fmt.Errorf("layer: %s: %w", f.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", fmt.Errorf("layer: %w", err)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, "", err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return nil, "", err
	}
	if err := z.Close(); err != nil {
		return nil, "", err
	}
	return out.Bytes(), digest(plain.Bytes()), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
