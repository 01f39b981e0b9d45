package blob

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// store keeps objects that never change once they are there, and checkpoints,
// which do. Its methods are safe for concurrent use, try once, and return a *storeError or the error of
// the context.
type store interface {
	// create makes o durable unless its name is taken.
	create(ctx context.Context, o object) error
	// stat describes an object.
	stat(ctx context.Context, name string) (Object, error)
	// open returns the stored bytes of an object.
	open(ctx context.Context, name string) (io.ReadCloser, error)
	// list goes over the objects whose names begin with prefix, in any order.
	list(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// load returns the bytes of a checkpoint and the version that they are.
	load(ctx context.Context, name string) (data []byte, version string, err error)
	// swap makes data durable in the place of the given version of a
	// checkpoint, or where there is none when version is "", and returns the
	// new version. It fails with failExists when there is another version.
	swap(ctx context.Context, name string, data []byte, version string) (string, error)
	// probe returns nil when the store would take objects.
	probe(ctx context.Context) error
	// close gives up idle connections.
	close()
}

// object is what is to be stored.
type object struct {
	name     string
	data     []byte
	hash     string   // contentHash of data
	recorded []string // hashes of the same lines as earlier tries encoded them
	holds    string   // which messages, with exactlyOnce
	messages int
	lines    []int // which messages of the batch those are, with exactlyOnce
	mime     string
}

// Object describes a stored object.
type Object struct {
	Name     string // below the container or directory
	Bytes    int64  // as stored
	SHA256   string // of the stored bytes, in hexadecimal; "" where the store keeps none
	Messages int    // lines; 0 where the store does not know
	Modified time.Time

	version   string // ETag; "" in a directory
	irregular bool   // a link or the like, which is no object
}

// failure is what a store's error means for the sink.
type failure uint8

const (
	// failUnavailable: nothing was written and no object can be, now.
	failUnavailable failure = iota
	// failUnknown: the answer is lost; the object may have been written.
	failUnknown
	// failExists: the name is taken.
	failExists
	// failNotFound: there is no such object.
	failNotFound
	// failRejected: this name can never be stored.
	failRejected
	// failChanged: the object is not the one that was listed.
	failChanged
)

// storeError is a store's error. Its text holds no credential.
type storeError struct {
	failure failure
	op      string // such as "put blob"
	name    string // of the object, or ""
	detail  string // status, code and request ID of an answer
	err     error  // of the network or the file system, or nil
}

func (e *storeError) Error() string {
	s := e.op
	if e.name != "" {
		s += " " + e.name
	}
	if e.detail != "" {
		s += ": " + e.detail
	}
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

func (e *storeError) Unwrap() error { return e.err }

// failureOf returns what err means; the end of a context leaves all unknown.
func failureOf(err error) failure {
	var se *storeError
	if errors.As(err, &se) {
		return se.failure
	}
	return failUnknown
}
