package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentSuffix = ".ledger"
	lockName      = "lock"
)

// segment is a file of a ledger.
type segment struct {
	path   string
	number uint64
	bytes  int64
}

// segmentsOf lists the segments of a directory, the oldest first.
func segmentsOf(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, f := range files {
		text, is := strings.CutSuffix(f.Name(), segmentSuffix)
		number, err := strconv.ParseUint(text, 10, 64)
		if !is || err != nil {
			continue // somebody else's
		}
		info, err := f.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it was removed meanwhile
		case err != nil:
			return nil, err
		}
		all = append(all, segment{filepath.Join(dir, f.Name()), number, info.Size()})
	}
	slices.SortFunc(all, func(a, b segment) int { return cmp.Compare(a.number, b.number) })
	return all, nil
}

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", number, segmentSuffix))
}
