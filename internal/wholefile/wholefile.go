// Package wholefile writes files that are there whole or not at all, whatever ends
// the process or the machine: they are written beside their place, made durable, and
// put there by a rename.
package wholefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File becomes a file with Commit, or nothing with Discard. It is for one goroutine.
type File struct {
	temp *os.File // nil when it has become either
	path string
	mode fs.FileMode
}

// Create begins a file of a path, which must not be used before Commit and may have
// a file, which stays until then. One of the two methods is to be called. It fails
// when the directory cannot be written to.
func Create(path string, mode fs.FileMode) (*File, error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, err
	}
	return &File{temp: temp, path: path, mode: mode}, nil
}

// Write implements [io.Writer]. It does not buffer.
func (f *File) Write(p []byte) (int, error) { return f.temp.Write(p) }

// Commit makes what was written the file of the path. When it returns no error that
// is durable. When it fails, what was written is removed; if the last step failed,
// the file may be in its place all the same, and a power loss may take it away.
func (f *File) Commit() error {
	err := errors.Join(f.temp.Chmod(f.mode), f.temp.Sync())
	if err = errors.Join(err, f.temp.Close()); err == nil {
		err = os.Rename(f.temp.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, f.Discard())
	}
	f.temp = nil
	return SyncDir(filepath.Dir(f.path))
}

// Discard removes what was written, unless it was put into its place. Idempotent.
func (f *File) Discard() error {
	if f.temp == nil {
		return nil
	}
	f.temp.Close() // it may be so already
	name := f.temp.Name()
	f.temp = nil
	return os.Remove(name)
}

// Write makes what content writes the file of a path, durably, all or nothing.
func Write(path string, mode fs.FileMode, content func(io.Writer) error) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Commit()
}

// SyncDir keeps a power loss from taking the names of new files in a directory away,
// and from bringing back those of removed ones.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
