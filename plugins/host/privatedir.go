package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	privatePrefix = "feed-plugins-"
	// longestSocketDir leaves what a socket's name below it takes of the 107 bytes
	// that the kernel allows.
	longestSocketDir = 107 - len("/plugin-dir1234567890/plugin1234567890")
)

// privateDir is the directory, of mode 0700, of the copies that are executed and
// of the sockets. It goes with its host; what a host that was killed has left, the
// next one removes. The directory itself is locked: what cleans directories for
// temporary files of what is old, as systemd-tmpfiles does, leaves such a one alone.
type privateDir struct {
	path string
	lock io.Closer
}

// newPrivateDir makes a private directory within parent.
func newPrivateDir(parent string) (*privateDir, error) {
	if err := errors.Join(supported(), checkParent(parent)); err != nil {
		return nil, err
	}
	if err := removeAbandoned(parent); err != nil {
		return nil, err
	}
	if len(parent)+len("/"+privatePrefix+"1234567890") > longestSocketDir {
		return nil, fmt.Errorf("%s is too long for the name of a socket: set plugins.runtimeDirectory to a shorter one, of at most %d bytes", parent, longestSocketDir-len(privatePrefix)-len("/1234567890"))
	}
	for {
		path, err := os.MkdirTemp(parent, privatePrefix)
		if err != nil {
			return nil, fmt.Errorf("make a directory for plugins: %w: set plugins.runtimeDirectory to one that can be written", err)
		}
		lock, err := lockDir(path)
		switch {
		case err == nil:
			return &privateDir{path, lock}, nil
		case !errors.Is(err, errAbandoned):
			return nil, errors.Join(fmt.Errorf("the directory for plugins: %w", err), os.RemoveAll(path))
		}
		// Another host has just taken it for one that was left, and removes it.
	}
}

// checkParent refuses a directory in which somebody else could put another one in
// the place of ours. One that is missing is made: a pod's directory for temporary
// files is open to all, and nobody is there to make one within it.
func checkParent(parent string) error {
	if err := os.Mkdir(parent, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("plugins.runtimeDirectory: %w: name one that is there, or whose parent can be written", err)
	}
	where, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return fmt.Errorf("plugins.runtimeDirectory: %w", err)
	}
	info, err := os.Lstat(where)
	if err != nil {
		return fmt.Errorf("plugins.runtimeDirectory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("plugins.runtimeDirectory: %s is no directory", parent)
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("plugins.runtimeDirectory: others may write to %s (mode %#o), and could put their program in the place of a plugin: chmod 0700 %s", parent, mode.Perm(), parent)
	}
	// Whoever owns a directory may rename what is in it, whatever its mode.
	if owner, known := ownerOf(info); !known || owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("plugins.runtimeDirectory: %s belongs to another user (id %d), who could put a program of his in the place of a plugin: name one of the feed's own", parent, owner)
	}
	return nil
}

// errAbandoned says that a directory is locked by another host, or gone.
var errAbandoned = errors.New("it is being removed")

// removeAbandoned removes the directories of hosts that are gone: those that nobody
// has locked.
func removeAbandoned(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return fmt.Errorf("plugins.runtimeDirectory: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if !strings.HasPrefix(e.Name(), privatePrefix) || !isOurs(dir) {
			continue
		}
		l, err := lockDir(dir)
		if errors.Is(err, errAbandoned) {
			continue // its host runs, or somebody else removes it
		}
		if err == nil {
			err = errors.Join(os.RemoveAll(dir), l.Close())
		}
		if err != nil {
			return fmt.Errorf("remove what a host before has left: %w", err)
		}
	}
	return nil
}

// remove removes the directory and all in it.
func (d *privateDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}
