package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kraft-edge/datafeed/internal/wholefile"
)

const (
	// incoming is where files are written before they get their name. No
	// object's name can begin with it: segments never begin with a dot.
	incoming = ".incoming"
	// leftoverAge is when a file in it can only be of a writer that died.
	leftoverAge = time.Hour
	// knownDirs bounds what is remembered of directories that are durable.
	knownDirs = 4096
)

// directory is a store in a local directory. A file gets its name only after
// its bytes are on disk, by a link that cannot replace another file.
type directory struct {
	root     string
	required bool                        // that root is not there is an error, not emptiness
	link     func(from, to string) error // os.Link

	mu    sync.Mutex
	known map[string]bool // directories whose own entries are on disk
	swept bool
}

func newDirectory(root string) *directory {
	return &directory{root: root, link: os.Link, known: map[string]bool{}}
}

func (d *directory) fail(op, name string, err error) *storeError {
	f := failUnavailable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f = failNotFound
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, errLeavesRoot):
		f = failRejected
	}
	return &storeError{failure: f, op: op, name: name, err: err}
}

var errLeavesRoot = errors.New("name leads out of the directory")

// file returns the path of an object.
func (d *directory) file(name string) (string, error) {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) || strings.HasPrefix(name, ".") || path.Clean(name) != name {
		return "", errLeavesRoot
	}
	return filepath.Join(d.root, local), nil
}

func (d *directory) create(ctx context.Context, o object) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	target, err := d.file(o.name)
	if err != nil {
		return d.fail("write file", o.name, err)
	}
	temp, err := d.writeTemp(o.data)
	if err != nil {
		return d.unnamed("write file", o.name, err)
	}
	defer func() {
		if rmErr := os.Remove(temp); rmErr != nil && err == nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = d.unnamed("remove temporary file of", o.name, rmErr)
		}
	}()
	if err := d.ensure(filepath.Dir(target)); err != nil {
		return d.unnamed("make directory of", o.name, err)
	}
	linkErr := d.place(temp, target)
	if linkErr != nil && !errors.Is(linkErr, fs.ErrExist) {
		d.forget(filepath.Dir(target)) // somebody may have removed it
		return d.unnamed("name file", o.name, linkErr)
	}
	// Also when the name was taken: whoever took it may have died before this.
	if err := wholefile.SyncDir(filepath.Dir(target)); err != nil {
		return &storeError{failure: failUnknown, op: "sync directory of", name: o.name, err: err}
	}
	if linkErr != nil {
		return &storeError{failure: failExists, op: "write file", name: o.name, err: linkErr}
	}
	return nil
}

// unnamed is fail for steps before the file has its name: what is missing then
// is a directory, not the object.
func (d *directory) unnamed(op, name string, err error) error {
	se := d.fail(op, name, err)
	if se.failure == failNotFound {
		se.failure = failUnavailable
	}
	return se
}

// place gives temp its name. File systems without hard links get a rename. When
// two writers come to it at the same moment the later one replaces what is as
// good: its name depends on its hash, or its hash is recorded for that name.
func (d *directory) place(temp, target string) error {
	err := d.link(temp, target)
	if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if _, statErr := os.Lstat(target); statErr == nil {
		return fs.ErrExist
	} else if !errors.Is(statErr, fs.ErrNotExist) {
		return statErr
	}
	return os.Rename(temp, target)
}

// writeTemp writes data to a file of its own and to the disk.
func (d *directory) writeTemp(data []byte) (string, error) {
	dir := filepath.Join(d.root, incoming)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	if err := d.sweep(dir); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o640)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// sweep removes, once, what writers that died have left.
func (d *directory) sweep(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.swept {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && time.Since(info.ModTime()) > leftoverAge {
			err = os.Remove(filepath.Join(dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	d.swept = true
	return nil
}

// ensure makes dir, below root, and makes sure that its entry and those of
// its parents are on disk.
func (d *directory) ensure(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ensureLocked(dir)
}

func (d *directory) ensureLocked(dir string) error {
	if d.known[dir] {
		return nil
	}
	if dir != d.root {
		if err := d.ensureLocked(filepath.Dir(dir)); err != nil {
			return err
		}
		if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := wholefile.SyncDir(filepath.Dir(dir)); err != nil && dir != d.root {
		return err // the parent of root may not be ours to open
	}
	if len(d.known) >= knownDirs {
		clear(d.known)
	}
	d.known[dir] = true
	return nil
}

func (d *directory) forget(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; strings.HasPrefix(dir, d.root); dir = filepath.Dir(dir) {
		delete(d.known, dir)
		if dir == d.root {
			return
		}
	}
}

func (d *directory) stat(ctx context.Context, name string) (Object, error) {
	file, err := d.file(name)
	if err != nil {
		return Object{}, d.fail("stat file", name, err)
	}
	info, err := os.Lstat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is no regular file")
	}
	if err != nil {
		return Object{}, d.fail("stat file", name, err)
	}
	return Object{Name: name, Bytes: info.Size(), Modified: info.ModTime()}, nil
}

func (d *directory) open(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := d.file(name)
	if err != nil {
		return nil, d.fail("open file", name, err)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, d.fail("open file", name, err)
	}
	return f, nil
}

func (d *directory) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range d.walk(ctx, prefix, once) {
			if !o.irregular && !yield(o, err) {
				return
			}
		}
	}
}

// walk asks nobody but the disk, where what fails does not pass by itself. Below
// the root, links are not followed: they may lead round in circles.
func (d *directory) walk(ctx context.Context, prefix string, _ func(request func() error) error) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		root, err := filepath.EvalSymlinks(d.root)
		switch {
		case err == nil:
			err = filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
				if err == nil {
					err = ctx.Err()
				}
				if err != nil {
					return err
				}
				if file == root {
					if !e.IsDir() {
						return syscall.ENOTDIR
					}
					return nil
				}
				name := filepath.ToSlash(strings.TrimPrefix(file[len(root):], string(filepath.Separator)))
				return d.entry(name, prefix, e, yield)
			})
		case errors.Is(err, fs.ErrNotExist) && !d.required:
			return // nothing was written yet
		case errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("%w (check blob.url, such as validate.observe.blob.url)", err)
		}
		if err != nil {
			yield(Object{}, d.fail("list directory", "", err))
		}
	}
}

// entry yields an entry of a directory, if its name is one of an object or may be on
// the way to one.
func (d *directory) entry(name, prefix string, e fs.DirEntry, yield func(Object, error) bool) error {
	below := strings.HasPrefix(name, prefix)
	above := strings.HasPrefix(prefix, name+"/")
	switch {
	case e.IsDir():
		if strings.HasPrefix(e.Name(), ".") || !below && !above && !strings.HasPrefix(name+"/", prefix) {
			return fs.SkipDir
		}
		return nil
	case strings.HasPrefix(e.Name(), "."), !below && (!above || e.Type().IsRegular()):
		return nil
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	if !yield(Object{Name: name, Bytes: info.Size(), Modified: info.ModTime(), irregular: !e.Type().IsRegular()}, nil) {
		return fs.SkipAll
	}
	return nil
}

func (d *directory) probe(ctx context.Context) error {
	temp, err := d.writeTemp(nil)
	if err == nil {
		err = os.Remove(temp)
	}
	if err != nil {
		return d.unnamed("probe directory", "", err)
	}
	return nil
}

func (d *directory) close() {}
