//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filelock

import (
	"errors"
	"io"
)

// Take refuses: without a lock that ends with its process two of them could write
// the same files.
func Take(string) (io.Closer, error) {
	return nil, errors.New("this platform has no file lock that ends with its process")
}
