package demo

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lineCounter counts the lines of the files that have appeared below a
// directory, each file once: files never change.
type lineCounter struct {
	dir   string
	known map[string]bool
	lines uint64
}

// count looks for new files. A file that cannot be read yet is tried again.
func (c *lineCounter) count() {
	_ = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".ndjson.gz") || c.known[path] {
			return nil //nolint:nilerr // the directory may not be there yet; the final count reports errors
		}
		if n, err := countLines(path); err == nil {
			c.known[path] = true
			c.lines += n
		}
		return nil
	})
}

func countLines(path string) (n uint64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for {
		k, err := z.Read(buf)
		n += uint64(bytes.Count(buf[:k], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
