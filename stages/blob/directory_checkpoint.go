package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kraft-edge/datafeed/internal/filelock"
	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// lockFor is how long a checkpoint may be locked by somebody else, who holds it
// for one write.
const lockFor = 5 * time.Second

// load implements store. The version of a file is the hash of its content,
// which names its writer.
func (d *directory) load(ctx context.Context, name string) (data []byte, version string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	data, err = os.ReadFile(filepath.Join(d.root, filepath.FromSlash(name)))
	if err != nil {
		return nil, "", d.fail("read file", name, err)
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:]), nil
}

// swap implements store. The lock makes comparing and replacing one step; a
// reader needs none, since the file is replaced by a rename.
func (d *directory) swap(ctx context.Context, name string, data []byte, version string) (_ string, err error) {
	target := filepath.Join(d.root, filepath.FromSlash(name))
	if err := d.ensure(filepath.Dir(target)); err != nil {
		return "", d.unnamed("make directory of", name, err)
	}
	waiting, cancel := context.WithTimeout(ctx, lockFor)
	defer cancel()
	unlock, err := lockFile(waiting, target+".lock")
	if err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return "", ctxErr
		}
		return "", d.unnamed("lock file", name, err)
	}
	defer func() {
		if closeErr := unlock.Close(); err == nil && closeErr != nil {
			err = &storeError{failure: failUnknown, op: "unlock file", name: name, err: closeErr}
		}
	}()
	_, found, err := d.load(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if found != version {
		return "", &storeError{failure: failExists, op: "replace file", name: name, detail: "it is not what it was"}
	}
	temp, err := d.writeTemp(data)
	if err != nil {
		return "", d.unnamed("write file", name, err)
	}
	if err := os.Rename(temp, target); err != nil {
		return "", d.unnamed("name file", name, errors.Join(err, os.Remove(temp)))
	}
	if err := wholefile.SyncDir(filepath.Dir(target)); err != nil {
		return "", &storeError{failure: failUnknown, op: "sync directory of", name: name, err: err}
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// lockFile takes a lock as soon as nobody else has it.
func lockFile(ctx context.Context, path string) (io.Closer, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		lock, err := filelock.Take(path)
		if !errors.Is(err, filelock.ErrTaken) {
			return lock, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}
