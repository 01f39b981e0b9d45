package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sumsFile names the file of a directory that lists its plugins.
const sumsFile = "SHA256SUMS"

// readDirectory returns the plugins of a directory, by their names: the files that
// its SHA256SUMS lists. It also returns the files that are not listed, which are
// none.
func readDirectory(dir string) (listed []pinned, others []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open the directory of plugins %s: %w", dir, underlying(err))
	}
	defer func() { _ = root.Close() }() // nothing was written
	listed, err = readSums(root)
	if err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read the directory of plugins %s: %w", dir, underlying(err))
	}
	for _, e := range entries {
		same := func(p pinned) bool { return filepath.Base(p.path) == e.Name() }
		// What begins with a dot is hidden on purpose, such as the ..data of a mounted
		// ConfigMap.
		if e.Name() != sumsFile && !strings.HasPrefix(e.Name(), ".") && !slices.ContainsFunc(listed, same) {
			others = append(others, e.Name())
		}
	}
	return listed, others, nil
}

func readSums(root *os.Root) ([]pinned, error) {
	path := filepath.Join(root.Name(), sumsFile)
	f, err := openRegular(root, sumsFile)
	if err != nil {
		return nil, fmt.Errorf("%w: (cd %s && sha256sum PLUGIN... > %s) writes it", err, root.Name(), sumsFile)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var all []pinned
	var errs []error
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		p, err := parseSumLine(root.Name(), string(line))
		at := fmt.Sprintf("%s:%d", path, n)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", at, err))
			continue
		case slices.ContainsFunc(all, func(other pinned) bool { return other.path == p.path }):
			errs = append(errs, fmt.Errorf("%s: %s is listed twice", at, filepath.Base(p.path)))
			continue
		}
		p.by = at
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pinned) int { return strings.Compare(a.path, b.path) })
	return all, errors.Join(errs...)
}

// parseSumLine reads a line as sha256sum prints it.
func parseSumLine(dir, line string) (pinned, error) {
	digits, name, ok := strings.Cut(line, " ")
	if !ok {
		return pinned{}, fmt.Errorf("%.80q is no line of sha256sum: it has a SHA-256, two spaces and a name", line)
	}
	sum, err := parseSum(digits)
	if err != nil {
		return pinned{}, err
	}
	name = strings.TrimPrefix(strings.TrimLeft(name, " *"), "./")
	if name == "" || name == "." || name == ".." || name != filepath.Base(name) {
		return pinned{}, fmt.Errorf("%.80q does not name a file of the directory itself", name)
	}
	return pinned{path: filepath.Join(dir, name), sum: sum}, nil
}
