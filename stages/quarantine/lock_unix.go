//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package quarantine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// lockFile takes the lock that the kernel drops when the process ends,
// whatever ends it. The file stays: removing it would race with a newcomer. It
// is not the database itself, because closing any descriptor of that would
// drop SQLite's own locks.
func lockFile(path, remedy string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		holder := make([]byte, 20)
		n, _ := f.ReadAt(holder, 0) // only to tell; it may be empty yet
		return nil, fmt.Errorf("%w: process %s has locked %s: %s", ErrInUse, holder[:n], path, remedy)
	}
	if err := writePID(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	return err
}
