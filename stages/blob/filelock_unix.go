//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package blob

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFile takes a lock that the kernel drops when the process ends, or when it
// is closed. The file stays: removing it would race with a newcomer.
func lockFile(ctx context.Context, path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o640)
	if err != nil {
		return nil, err
	}
	err = retryLock(ctx, path, func() error {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return errLocked
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
