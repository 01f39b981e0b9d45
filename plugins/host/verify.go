package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// largest is the size of the largest file that is taken for a plugin.
const largest = 1 << 30

// pinned is a file that may be run: where it lies, and what it must be.
type pinned struct {
	path string // for people, too
	sum  [sha256.Size]byte
	by   string // what pins it, for people: "plugins.list[2].sha256"
}

// copyTo copies the file to a new one that can be executed and not be written,
// and returns an error unless its content is the pinned one. The content is read
// once: what is compared is what is written. No symlink is followed out of the
// directory of the file.
func (p pinned) copyTo(dst string) (err error) {
	dir, name := filepath.Split(p.path)
	root, err := os.OpenRoot(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("open the directory of %s: %w", p.path, err)
	}
	defer func() { _ = root.Close() }() // nothing was written
	src, err := openRegular(root, name)
	if err != nil {
		return err
	}
	defer src.Close()
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(dst))
		}
	}()
	// A process that is forked while the copy is open for writing would hold it open,
	// and the kernel does not execute what somebody may write.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return fmt.Errorf("copy %s: %w", p.path, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(src, largest+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", p.path, err)
	}
	if n > largest {
		return fmt.Errorf("%s has more than %d bytes: that is no plugin", p.path, largest)
	}
	if sum := h.Sum(nil); string(sum) != string(p.sum[:]) {
		return fmt.Errorf("%s is not the file that was pinned: its SHA-256 is %x, %s says %x: put the right file there, or pin this one if you trust it", p.path, sum, p.by, p.sum)
	}
	return nil
}

// openRegular opens a file of a directory for reading. It does not wait for the
// writer of a pipe, and follows symlinks within the directory only.
func openRegular(root *os.Root, name string) (*os.File, error) {
	path := filepath.Join(root.Name(), name)
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if info, lerr := root.Lstat(name); lerr == nil && info.Mode()&fs.ModeSymlink != 0 { // the library has no error of its own for it
			return nil, fmt.Errorf("%s is a symlink that leads out of its directory, or nowhere: put the file itself there, or name the one it leads to", path)
		}
		return nil, fmt.Errorf("open %s: %w", path, underlying(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, underlying(err)), f.Close())
	}
	return f, nil
}

// underlying drops the path, which the caller has told already.
func underlying(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// parseSum reads the 64 hexadecimal digits of a SHA-256.
func parseSum(s string) (sum [sha256.Size]byte, err error) {
	if hex.DecodedLen(len(s)) != len(sum) || len(s)%2 != 0 {
		return sum, fmt.Errorf("%d characters are no SHA-256: write its 64 hexadecimal digits, such as sha256sum prints", len(s))
	}
	if _, err := hex.Decode(sum[:], []byte(s)); err != nil {
		return sum, fmt.Errorf("%q is no SHA-256: write its 64 hexadecimal digits, such as sha256sum prints", s)
	}
	return sum, nil
}
