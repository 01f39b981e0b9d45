//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filelock

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Take takes the lock of a file, which it makes when it is missing, until the
// process ends or the lock is closed. It does not wait: an error that is
// [ErrTaken] says that somebody has it. The file stays, since to remove it would
// race with a newcomer.
func Take(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrTaken
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
}
