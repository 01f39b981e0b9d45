package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kraft-edge/datafeed/internal/filelock"
)

const (
	privatePrefix = "feed-plugins-"
	lockName      = "lock"
	// longestSocketDir leaves what a socket's name below it takes of the 107 bytes
	// that the kernel allows.
	longestSocketDir = 107 - len("/plugin-dir1234567890/plugin1234567890")
)

// privateDir is the directory, of mode 0700, of the copies that are executed and
// of the sockets. It goes with its host; what a host that was killed has left, the
// next one removes.
type privateDir struct {
	path string
	lock io.Closer
}

// newPrivateDir makes a private directory within parent.
func newPrivateDir(parent string) (_ *privateDir, err error) {
	if err := errors.Join(supported(), checkParent(parent)); err != nil {
		return nil, err
	}
	if err := removeAbandoned(parent); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(parent, privatePrefix)
	if err != nil {
		return nil, fmt.Errorf("make a directory for plugins: %w: set plugins.runtimeDirectory to one that can be written", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}()
	if len(path) > longestSocketDir {
		return nil, fmt.Errorf("%s is too long for the name of a socket: set plugins.runtimeDirectory to a shorter one, of at most %d bytes", parent, longestSocketDir-len(privatePrefix)-len("/1234567890"))
	}
	lock, err := filelock.Take(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("the directory for plugins: %w", err)
	}
	return &privateDir{path, lock}, nil
}

// checkParent refuses a directory in which somebody else could put another one in
// the place of ours.
func checkParent(parent string) error {
	info, err := os.Stat(parent)
	if err != nil {
		return fmt.Errorf("plugins.runtimeDirectory: %w: make it, with mode 0700", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("plugins.runtimeDirectory: %s is no directory", parent)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("plugins.runtimeDirectory: others may write to %s (mode %#o), and could put their program in the place of a plugin: chmod 0700 %s", parent, mode.Perm(), parent)
	}
	return nil
}

// removeAbandoned removes the directories of hosts that are gone: those whose lock
// nobody holds. One without a lock is just being made, and stays.
func removeAbandoned(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return fmt.Errorf("plugins.runtimeDirectory: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		lock := filepath.Join(dir, lockName)
		if !strings.HasPrefix(e.Name(), privatePrefix) || !isOurs(dir) {
			continue
		}
		if _, err := os.Lstat(lock); err != nil {
			continue
		}
		l, err := filelock.Take(lock)
		if err != nil {
			continue // its host runs
		}
		if err := errors.Join(os.RemoveAll(dir), l.Close()); err != nil {
			return fmt.Errorf("remove what a host before has left: %w", err)
		}
	}
	return nil
}

// remove removes the directory and all in it.
func (d *privateDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}
