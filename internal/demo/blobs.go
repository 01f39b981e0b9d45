package demo

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/kraft-edge/datafeed/internal/witness"
)

// blobWatch looks at the files that appear below a directory, each once: files
// never change.
type blobWatch struct {
	dir   string
	known map[string]bool
	tally *witness.Tally
}

func newBlobWatch(dir string) *blobWatch {
	return &blobWatch{dir: dir, known: map[string]bool{}, tally: witness.NewTally()}
}

// look looks for new files. One that cannot be read yet is tried again.
func (w *blobWatch) look() {
	_ = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".ndjson.gz") || w.known[path] {
			return nil //nolint:nilerr // the directory may not be there yet; the final count reports errors
		}
		if _, err := witness.ReadDirectory(path, w.tally); err == nil {
			w.known[path] = true
		}
		return nil
	})
}

// distinct returns how many different readings there are so far.
func (w *blobWatch) distinct() uint64 { return w.tally.Distinct() }
