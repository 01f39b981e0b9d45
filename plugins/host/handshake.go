package host

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/kraft-edge/datafeed/plugins/internal/wire"
)

// longestHandshake is more than a line with a certificate has.
const longestHandshake = 16 << 10

// handshake takes what a plugin writes to its standard output: first the line that
// says how it is reached, which is checked and handed on, then what it should have
// written elsewhere, which is logged.
type handshake struct {
	language language
	sockets  string // the directory in which the socket must be
	to       *io.PipeWriter
	after    *lines

	mu   sync.Mutex
	line []byte
	done bool
	err  error
}

// Write implements io.Writer. It returns no error: the plugin is ended for what is
// wrong with the line, and not by a signal for a closed pipe.
func (h *handshake) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return h.after.Write(p)
	}
	text, rest, ended := bytes.Cut(p, []byte{'\n'})
	h.line = append(h.line, text[:min(len(text), longestHandshake-len(h.line))]...)
	if !ended && len(h.line) < longestHandshake {
		return len(p), nil
	}
	h.done = true
	if h.err = h.check(string(bytes.TrimSpace(h.line))); h.err == nil {
		_, _ = h.to.Write(append(h.line, '\n')) // its reader reads to the end, or has gone
	}
	_ = h.to.Close()
	_, _ = h.after.Write(rest)
	return len(p), nil
}

// end says that nothing more comes.
func (h *handshake) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.to.Close()
	_ = h.after.Close()
}

// failed returns what was wrong with the line.
func (h *handshake) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// check refuses a line that would not lead to a plugin of this protocol.
func (h *handshake) check(line string) error {
	const form = "CORE|VERSION|unix|PATH|grpc"
	parts := strings.Split(line, "|")
	if len(parts) < 5 {
		return refusef("its first line is %.60q, not %s: is it a plugin? One in Go calls plugins.Serve, and writes to its standard error only", line, form)
	}
	if parts[0] != "1" {
		return refusef("it speaks version %.20q of go-plugin's handshake, not 1: build it with go-plugin 1.x", parts[0])
	}
	if parts[1] != strconv.Itoa(wire.Version) {
		return refusef("it speaks version %.20q of the protocol, this feed speaks %d: use a plugin that was built for it, or another feed", parts[1], wire.Version)
	}
	if parts[2] != "unix" || parts[4] != "grpc" {
		return refusef("it answers by %.20q over %.20q, not by grpc over a unix socket", parts[4], parts[2])
	}
	if dir, path := h.sockets, parts[3]; !filepath.IsAbs(path) || !strings.HasPrefix(filepath.Clean(path), dir+"/") {
		return refusef("its socket %.200q is not in the directory that PLUGIN_UNIX_SOCKET_DIR named, where nobody else can reach it: make it there", path)
	}
	if certified := len(parts) > 5 && len(parts[5]) > 50; h.language == languageGo && !certified {
		return refusef("it answers without a certificate: one that is not made with Go's plugins.Serve needs language: other")
	}
	return nil
}

// refusedError says that a plugin is none that can be run: trying again is no use.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func refusef(format string, args ...any) error {
	return &refusedError{fmt.Sprintf(format, args...)}
}
