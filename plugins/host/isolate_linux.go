package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// supported says that plugins can be run here.
func supported() error { return nil }

// ownGroup gives a process a group of its own, so that what it starts can be ended
// with it, and has the kernel kill it when the thread ends that starts it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// closeOnExec marks all descriptors of this process but the standard ones: those
// that it has got itself, from a shell or from systemd, are not.
func closeOnExec() error {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= 2 {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil && !errors.Is(err, unix.EBADF) { // it was closed meanwhile
			return fmt.Errorf("mark descriptor %d to be closed: %w", fd, err)
		}
	}
	return nil
}

// limit sets the limits of the kernel for a process. What it takes of memory is
// looked at, too (see resident): this one is for what grows faster.
func limit(pid int, memory int64, openFiles uint64) error {
	data := uint64(2*memory + 256<<20) // address space that is reserved for threads counts
	for _, l := range []struct {
		name     string
		resource int
		most     uint64
	}{
		{"open files", unix.RLIMIT_NOFILE, openFiles},
		{"core dumps", unix.RLIMIT_CORE, 0},
		{"memory", unix.RLIMIT_DATA, data},
	} {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, l.resource, nil, &now); err != nil {
			return fmt.Errorf("read the limit of %s: %w", l.name, err)
		}
		most := min(l.most, now.Max) // only the privileged may raise it
		if err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return fmt.Errorf("limit %s: %w", l.name, err)
		}
	}
	return nil
}

// resident returns how many bytes of memory a process holds, with those that it has
// started and those that they have, as far as the kernel lists children
// (CONFIG_PROC_CHILDREN). What several share counts for each of them.
func resident(pid int) (int64, error) {
	held, err := residentAlone(pid)
	if err != nil {
		return 0, err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // one for each thread
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range bytes.Fields(text) {
			child, err := strconv.Atoi(string(field))
			if err != nil {
				return 0, fmt.Errorf("%s says %q", list, text)
			}
			if n, err := resident(child); err == nil { // or it has ended
				held += n
			}
		}
	}
	return held, nil
}

func residentAlone(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm says %q", pid, text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// waitForEnd waits until a process has ended, and leaves its number taken, so that
// a signal for its group reaches nobody else.
func waitForEnd(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// signalGroup sends a signal to a process and all that it has started, and to the
// process itself when it has left its group.
func signalGroup(pid int, s syscall.Signal) error {
	err := unix.Kill(-pid, s)
	if group, gerr := unix.Getpgid(pid); gerr == nil && group != pid {
		err = unix.Kill(pid, s)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// isOurs reports whether a directory, and no symlink, belongs to the user.
func isOurs(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	owner, known := ownerOf(info)
	return known && owner == os.Geteuid()
}

// ownerOf returns the user id of a file's owner.
func ownerOf(info fs.FileInfo) (id int, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// lockDir locks a directory itself, until it is closed or the process ends. The error
// is errAbandoned when another process has locked it, or it is not there any more.
func lockDir(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbandoned
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errAbandoned
	}
	if err == nil {
		err = sameFile(f, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sameFile returns errAbandoned unless path still leads to the file.
func sameFile(f *os.File, path string) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Lstat(path); err != nil || !os.SameFile(opened, there) {
		return errAbandoned
	}
	return nil
}
