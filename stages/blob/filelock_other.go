//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package blob

import (
	"context"
	"errors"
	"io"
)

// lockFile refuses: without a lock that ends with its process two feeds could
// write one directory.
func lockFile(context.Context, string) (io.Closer, error) {
	return nil, errors.New("this platform has no file lock that ends with its process: write to Azure")
}
