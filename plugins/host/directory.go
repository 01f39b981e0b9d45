package host

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sumsFile names the file of a directory that lists its plugins.
const sumsFile = "SHA256SUMS"

// badLine is a line of a SHA256SUMS that names no plugin.
type badLine struct {
	at  string // the file's name and the line
	err error
}

// readDirectory returns the plugins of a directory, by their names: the files that
// its SHA256SUMS lists. It also returns the lines of that which are wrong, and the
// files that are not listed, which are none.
func readDirectory(dir string) (listed []pinned, wrong []badLine, others []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open the directory of plugins %s: %w", dir, underlying(err))
	}
	defer func() { _ = root.Close() }() // nothing was written
	listed, wrong, err = readSums(root)
	if err != nil {
		return nil, nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read the directory of plugins %s: %w", dir, underlying(err))
	}
	for _, e := range entries {
		same := func(p pinned) bool { return filepath.Base(p.path) == e.Name() }
		// What begins with a dot is hidden on purpose, such as the ..data of a mounted
		// ConfigMap.
		if e.Name() != sumsFile && !strings.HasPrefix(e.Name(), ".") && !slices.ContainsFunc(listed, same) {
			others = append(others, e.Name())
		}
	}
	return listed, wrong, others, nil
}

func readSums(root *os.Root) (all []pinned, wrong []badLine, err error) {
	path := filepath.Join(root.Name(), sumsFile)
	f, err := openRegular(root, sumsFile)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: (cd %s && sha256sum PLUGIN... > %s) writes it", err, root.Name(), sumsFile)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		p, err := parseSumLine(root.Name(), string(line))
		if err == nil && slices.ContainsFunc(all, func(other pinned) bool { return other.path == p.path }) {
			err = fmt.Errorf("%s is listed twice", filepath.Base(p.path))
		}
		p.by = fmt.Sprintf("%s:%d", path, n)
		if err != nil {
			wrong = append(wrong, badLine{fmt.Sprintf("%s:%d", sumsFile, n), fmt.Errorf("%s: %w", p.by, err)})
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pinned) int { return strings.Compare(a.path, b.path) })
	return all, wrong, nil
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
