package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// fakeStore keeps objects in memory and can be told to fail.
type fakeStore struct {
	mu      sync.Mutex
	objects map[string]object
	noHash  bool // as a directory, it keeps no hash
	// before and after say what create of an object returns, before and after
	// it was stored.
	before, after func(name string) error
	statErr       error
	creates       []string

	checkpoints map[string][]byte
	// beforeSwap and afterSwap say what swap returns, before and after the
	// checkpoint was replaced.
	beforeSwap, afterSwap func() error
}

func newFakeStore() *fakeStore {
	return &fakeStore{objects: map[string]object{}, checkpoints: map[string][]byte{}}
}

func fault(f failure) error { return &storeError{failure: f, op: "put blob", detail: "injected"} }

func (f *fakeStore) create(ctx context.Context, o object) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.creates = append(f.creates, o.name)
	if f.before != nil {
		if err := f.before(o.name); err != nil {
			return err
		}
	}
	if _, taken := f.objects[o.name]; taken {
		return fault(failExists)
	}
	o.data = bytes.Clone(o.data)
	f.objects[o.name] = o
	if f.after != nil {
		return f.after(o.name)
	}
	return nil
}

func (f *fakeStore) stat(ctx context.Context, name string) (Object, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.statErr != nil {
		return Object{}, f.statErr
	}
	o, ok := f.objects[name]
	if !ok {
		return Object{}, fault(failNotFound)
	}
	found := Object{Name: name, Bytes: int64(len(o.data)), SHA256: o.hash, Messages: o.messages}
	if f.noHash {
		found.SHA256 = ""
	}
	return found, nil
}

func (f *fakeStore) open(ctx context.Context, name string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return io.NopCloser(bytes.NewReader(f.objects[name].data)), nil
}

func (f *fakeStore) load(_ context.Context, name string) ([]byte, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, ok := f.checkpoints[name]
	if !ok {
		return nil, "", fault(failNotFound)
	}
	return bytes.Clone(data), string(data), nil
}

func (f *fakeStore) swap(_ context.Context, name string, data []byte, version string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.beforeSwap != nil {
		if err := f.beforeSwap(); err != nil {
			return "", err
		}
	}
	if string(f.checkpoints[name]) != version {
		return "", fault(failExists)
	}
	f.checkpoints[name] = bytes.Clone(data)
	if f.afterSwap != nil {
		if err := f.afterSwap(); err != nil {
			return "", err
		}
	}
	return string(data), nil
}

func (f *fakeStore) list(context.Context, string) iter.Seq2[Object, error] { panic("not called") }
func (f *fakeStore) probe(context.Context) error                           { return nil }
func (f *fakeStore) close()                                                {}

func (f *fakeStore) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, o := range f.objects {
		all = append(all, string(o.data))
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

func fakeSink(t *testing.T, st store, change func(*Config)) *Sink {
	t.Helper()
	cfg := dirConfig("/unused")
	cfg.Compression = Plain
	if change != nil {
		change(&cfg)
	}
	s, err := newSink(cfg, testEnv, st)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCommitResolvesLostAnswers(t *testing.T) {
	once := func(err error) func(string) error {
		return func(string) error { e := err; err = nil; return e }
	}
	for name, c := range map[string]struct {
		before, after error
		statErr       error
		noHash        bool
		want          string // "" is success
	}{
		"stored, answer lost":               {after: fault(failUnknown)},
		"stored, answer lost, no hash kept": {after: fault(failUnknown), noHash: true},
		"stored, client retried by itself":  {after: fault(failExists)},
		"not stored, answer lost":           {before: fault(failUnknown), want: "injected"},
		"not stored, refused":               {before: fault(failUnavailable), want: "injected"},
		"answer lost, and so is the look":   {after: fault(failUnknown), statErr: fault(failUnavailable), want: "outcome is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newFakeStore()
			st.before, st.after, st.statErr, st.noHash = once(c.before), once(c.after), c.statErr, c.noHash
			s := fakeSink(t, st, nil)
			b := batch(msg(`1`), msg(`2`))
			err := s.PublishBatch(t.Context(), b)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else {
				var be *feed.BatchError
				if !errors.As(err, &be) || len(be.Failures) != 2 || feed.IsPermanent(err) || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("err = %v, want both messages to fail for now with %q", err, c.want)
				}
			}
			// The route's retry finds or makes it, once.
			st.statErr = nil
			if err := s.PublishBatch(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if got := st.text(); got != "1\n2\n" {
				t.Errorf("stored %q", got)
			}
		})
	}
}

func TestCommitStopsAtOtherContent(t *testing.T) {
	for _, noHash := range []bool{false, true} {
		for _, size := range []int{2, 7} {
			st := newFakeStore()
			st.noHash = noHash
			s := fakeSink(t, st, nil)
			if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
				t.Fatal(err)
			}
			for name, o := range st.objects { // somebody changes the object
				o.data = bytes.Repeat([]byte("x"), size)
				o.hash = contentHash(o.data)
				st.objects[name] = o
			}
			err := s.PublishBatch(t.Context(), batch(msg(`1`)))
			if !errors.Is(err, ErrContentMismatch) || feed.IsPermanent(err) {
				t.Errorf("noHash=%v size=%d: err = %v, want a mismatch that is not permanent", noHash, size, err)
			}
		}
	}
}

// The failure of some paths leaves the messages of the others durable, and is
// reported for their own messages alone.
func TestBatchErrorListsFailedGroups(t *testing.T) {
	st := newFakeStore()
	st.before = func(name string) error {
		switch name[0] {
		case '1', '3':
			return fault(failRejected)
		}
		return nil
	}
	s := fakeSink(t, st, func(c *Config) { c.Path = "{meta.p}/{hash}" })
	var msgs []*message.Message
	want := map[int]bool{}
	for i := range 50 {
		p := i % 5
		payload := fmt.Sprint(i)
		if want[i] = p == 1 || p == 3; i == 20 {
			payload, want[i] = "{", true
		}
		msgs = append(msgs, msg(payload, "p", fmt.Sprint(p)))
	}
	err := s.PublishBatch(t.Context(), batch(msgs...))
	var be *feed.BatchError
	if !errors.As(err, &be) || len(be.Failures) != 21 {
		t.Fatalf("err = %v, want 21 failures", err)
	}
	last := -1
	for _, f := range be.Failures {
		if !want[f.Index] || f.Index <= last || !feed.IsPermanent(f.Err) {
			t.Errorf("failure of %d after %d: %v", f.Index, last, f.Err)
		}
		last = f.Index
	}
	if n := strings.Count(st.text(), "\n"); n != 29 {
		t.Errorf("%d messages stored, want 29", n)
	}
}

// A store that is down is asked once for each writer, not once for each path.
func TestStoreDownIsNotAskedForEachPath(t *testing.T) {
	st := newFakeStore()
	st.before = func(string) error { return fault(failUnavailable) }
	s := fakeSink(t, st, func(c *Config) { c.Path = "{meta.p}/{hash}" })
	var msgs []*message.Message
	for i := range 500 {
		msgs = append(msgs, msg(fmt.Sprint(i), "p", fmt.Sprint(i)))
	}
	err := s.PublishBatch(t.Context(), batch(msgs...))
	var be *feed.BatchError
	if !errors.As(err, &be) || len(be.Failures) != 500 || feed.IsPermanent(err) {
		t.Fatalf("err = %v, want 500 failures for now", err)
	}
	if n := len(st.creates); n > s.cfg.Parallel {
		t.Errorf("%d tries, want at most %d", n, s.cfg.Parallel)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	st := newFakeStore()
	st.before = func(string) error { cancel(); return ctx.Err() }
	s := fakeSink(t, st, nil)
	if err := s.PublishBatch(ctx, batch(msg(`1`))); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if err := s.PublishBatch(ctx, batch(msg(`1`))); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if len(st.creates) != 1 {
		t.Errorf("%d tries, want 1", len(st.creates))
	}
}

// Close cancels what is being written and waits for it.
func TestCloseCancelsPublish(t *testing.T) {
	st := &stuckStore{fakeStore: newFakeStore(), entered: make(chan struct{})}
	s := fakeSink(t, st, nil)
	done := make(chan error, 1)
	go func() { done <- s.PublishBatch(t.Context(), batch(msg(`1`))) }()
	<-st.entered
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("no error")
	}
}

type stuckStore struct {
	*fakeStore
	entered chan struct{}
}

func (s *stuckStore) create(ctx context.Context, o object) error {
	close(s.entered)
	<-ctx.Done()
	return ctx.Err()
}
