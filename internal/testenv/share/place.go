package share

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"syscall"
)

// version is part of a host's place: a test binary does not talk to a host that was built from other sources of this
// package. Raise it when the protocol or the way servers are set up changes.
const version = 1

// place is the directory in which a host and its clients meet.
type place string

// placeOf returns the place for a working copy, and creates it.
func placeOf(root string) (place, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	hash := fnv.New32a()
	fmt.Fprint(hash, version, root)
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("datafeed-testenv-%d-%08x", os.Getuid(), hash.Sum32()))
	// Others may pass through, as PostgreSQL must, which runs as another user when we are root.
	if err := os.Mkdir(dir, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	// The name can be guessed, and the directory above is everybody's.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s belongs to somebody else", dir)
	}
	// Mkdir is subject to the umask.
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	return place(dir), nil
}

func (p place) socket() string  { return filepath.Join(string(p), "control") }
func (p place) servers() string { return filepath.Join(string(p), "servers") }
func (p place) log() string     { return filepath.Join(string(p), "host.log") }
func (p place) program() string { return filepath.Join(string(p), "testservers") }

// lockHost waits until no other host lives, and keeps others from starting until the file is closed.
func (p place) lockHost() (*os.File, error) { return lock(filepath.Join(string(p), "host.lock")) }

// lockStart keeps other clients from starting a host until the file is closed.
func (p place) lockStart() (*os.File, error) { return lock(filepath.Join(string(p), "start.lock")) }

// lock waits for an exclusive lock that ends with the file, or with this process.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}
