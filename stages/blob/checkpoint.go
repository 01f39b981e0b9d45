package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/kraft-edge/datafeed/feed"
)

const (
	// checkpoints is where checkpoints are kept, one for each route. No
	// object's name can begin with it: segments never begin with a dot.
	checkpoints = ".checkpoint"
	// checkpointFormat is the version of the document.
	checkpointFormat = 2
	// maxCheckpoint bounds what is read of one, in bytes.
	maxCheckpoint = 256 << 20
	// takeOvers is how often a checkpoint may change while it is being taken
	// over, before that is tried later.
	takeOvers = 20
)

// document is a checkpoint as it is stored. doc.go describes it.
type document struct {
	Format     int       `json:"format"`
	Stream     string    `json:"stream"`
	Generation uint64    `json:"generation"`
	Committed  *position `json:"committed,omitempty"`
	From       uint64    `json:"from"`
	Intent     *intent   `json:"intent,omitempty"`
	Writer     string    `json:"writer"`
}

type position struct {
	Offset uint64 `json:"offset"`
	SHA256 digest `json:"sha256"`
}

// intent is a range whose objects are being made.
type intent struct {
	First      uint64           `json:"first"`
	Last       position         `json:"last"`
	Deliveries int              `json:"deliveries"`
	Objects    []recordedObject `json:"objects"`
}

type recordedObject struct {
	Name string `json:"name"`
	// Holds says which messages are in it, see held: another configuration may
	// divide them among objects of the same names otherwise.
	Holds string `json:"holds"`
	// SHA256 has the hash of each try to make it: another version or another
	// configuration of the program may encode the same messages otherwise.
	SHA256 []string `json:"sha256"`
}

// digest is written in hexadecimal.
type digest [sha256.Size]byte

func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

func (d *digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("%q is no SHA-256", text)
	}
	_, err := hex.Decode(d[:], text)
	return err
}

func positionOf(p feed.Position) position { return position{p.Offset, p.SHA256} }
func (p position) feed() feed.Position    { return feed.Position{Offset: p.Offset, SHA256: p.SHA256} }

// checkpoint is where a route's objects have got to. Each write replaces the
// version that was read or written last, and fails when there is another one.
type checkpoint struct {
	store  store
	name   string
	writer string // of this process and sink

	document
	version string // of what is stored; "" when nothing is
	held    bool   // it was this writer's
	lost    error  // it is another writer's, for good
}

func newCheckpoint(st store, env feed.StageEnv) *checkpoint {
	name := appendEscaped([]byte(checkpoints+"/"), env.Feed, '-', maxValueLimit/2)
	name = appendEscaped(append(name, '-'), env.Route, '-', maxValueLimit/2)
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &checkpoint{
		store: st, name: string(append(name, ".json"...)),
		writer: fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()), // for people: what counts is that no other writer has it
	}
}

// errMoved says that somebody wrote the checkpoint meanwhile.
var errMoved = errors.New("the checkpoint changes while it is being taken over")

// resume reads the checkpoint, and takes it over unless this writer has it.
func (c *checkpoint) resume(ctx context.Context, stream string) error {
	if c.lost != nil {
		return c.lost
	}
	for range takeOvers {
		err := c.read(ctx)
		switch {
		case err != nil:
			return err
		case c.version == "":
			err = c.save(ctx, document{Format: checkpointFormat, Stream: stream, Generation: 1})
		case c.Stream != stream:
			return &feed.ConfigError{
				Key:     "exactlyOnce",
				Problem: fmt.Sprintf("the checkpoint %s is of the stream %q, but the route reads %q", c.name, c.Stream, stream),
				Remedy:  "give the route another name, so that it begins a checkpoint of its own, or read the stream that it was",
			}
		case c.Writer == c.writer:
			return nil
		case c.held:
			return c.fenced(c.document)
		default:
			err = c.save(ctx, c.document)
		}
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return errMoved
}

// read reads what is stored.
func (c *checkpoint) read(ctx context.Context) error {
	data, version, err := c.store.load(ctx, c.name)
	if err != nil && failureOf(err) == failNotFound && !c.held {
		c.document, c.version = document{}, ""
		return nil
	}
	var found document
	if err == nil {
		found, err = c.parse(data)
	}
	if err != nil {
		return c.explain(err)
	}
	c.document, c.version = found, version
	return nil
}

// explain says what to do about a checkpoint that went away.
func (c *checkpoint) explain(err error) error {
	if failureOf(err) != failNotFound {
		return err
	}
	return &feed.ConfigError{
		Key: "exactlyOnce", Problem: fmt.Sprintf("the checkpoint %s was removed while the route was running", c.name),
		Remedy: "put it back and start again; without it the stream is read from its beginning, and what stands there is written again",
	}
}

func (c *checkpoint) parse(data []byte) (document, error) {
	var d document
	var head struct {
		Format int `json:"format"`
	}
	bad := func(problem string) (document, error) {
		return d, &feed.ConfigError{
			Key: "exactlyOnce", Problem: fmt.Sprintf("the checkpoint %s %s", c.name, problem),
			Remedy: "restore it, or use the version of the feed that wrote it",
		}
	}
	if err := json.Unmarshal(data, &head); err == nil && head.Format != checkpointFormat {
		return bad(fmt.Sprintf("has the format %d, and this feed knows %d", head.Format, checkpointFormat))
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return bad("cannot be read: " + err.Error())
	}
	if d.Generation == 0 || d.Stream == "" || d.Writer == "" {
		return bad("lacks a generation, a stream or a writer")
	}
	return d, nil
}

func (c *checkpoint) fenced(by document) error {
	c.lost = fmt.Errorf("checkpoint %s: %w: %s now writes what %s wrote", c.name, feed.ErrFenced, by.Writer, c.writer)
	return c.lost
}

// save replaces what is stored by next, as this writer's. After an answer that
// was lost it looks at what is stored.
func (c *checkpoint) save(ctx context.Context, next document) error {
	if c.lost != nil {
		return c.lost
	}
	next.Writer = c.writer
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.name, err)
	}
	version, err := c.store.swap(ctx, c.name, data, c.version)
	if err == nil {
		c.document, c.version, c.held = next, version, true
		return nil
	}
	if ctx.Err() != nil || failureOf(err) == failUnavailable {
		return err
	}
	stored, version, lookErr := c.store.load(ctx, c.name)
	if lookErr != nil {
		if !c.held && failureOf(lookErr) == failNotFound {
			return err
		}
		return fmt.Errorf("%w; and what is stored is unknown: %w", err, c.explain(lookErr))
	}
	if bytes.Equal(stored, data) {
		c.document, c.version, c.held = next, version, true
		return nil
	}
	found, parseErr := c.parse(stored)
	switch {
	case parseErr != nil:
		return parseErr
	case found.Writer == c.writer: // an earlier write of ours, whose answer was lost
		c.version = version
		return err
	case c.held:
		return c.fenced(found)
	}
	return errMoved
}

// resumption is what a route needs to know of the checkpoint.
func (c *checkpoint) resumption() feed.Resumption {
	r := feed.Resumption{Generation: c.Generation}
	if c.Committed != nil {
		p := c.Committed.feed()
		r.Committed = &p
	}
	if in := c.Intent; in != nil {
		r.Pending = &feed.Range{First: in.First, Last: in.Last.feed(), Deliveries: in.Deliveries}
	}
	return r
}

// renew begins a generation.
func (c *checkpoint) renew(ctx context.Context) error {
	return c.save(ctx, document{Format: checkpointFormat, Stream: c.Stream, Generation: c.Generation + 1})
}

// from returns the first offset that the names of a range's objects tell. A
// range without objects is told by the names of the next one that has some, so
// that the names of a generation follow each other without a hole, but for
// what the stream has lost.
func (c *checkpoint) from(covered *feed.Range) uint64 {
	if c.Committed != nil && c.Committed.Offset+1 == covered.First {
		return c.From
	}
	return covered.First
}

// begin records that the objects of a range are about to be made, with their
// hashes, and gives objects that were recorded before the hashes that they may
// have.
func (c *checkpoint) begin(ctx context.Context, covered *feed.Range, objects []object) error {
	next := c.document
	if c.Intent == nil {
		if len(objects) == 0 {
			return nil
		}
		next.Intent = &intent{First: covered.First, Last: positionOf(covered.Last), Deliveries: covered.Deliveries}
		for _, o := range objects {
			next.Intent.Objects = append(next.Intent.Objects, recordedObject{o.name, o.holds, []string{o.hash}})
		}
		return c.save(ctx, next)
	}
	if err := c.Intent.match(covered, objects); err != nil {
		return err
	}
	again := *c.Intent
	again.Objects = slices.Clone(again.Objects)
	changed := false
	for i := range objects {
		r, o := &again.Objects[i], &objects[i]
		o.recorded = r.SHA256
		if !slices.Contains(r.SHA256, o.hash) {
			r.SHA256, changed = append(slices.Clip(r.SHA256), o.hash), true
		}
	}
	if !changed {
		return nil
	}
	next.Intent = &again
	return c.save(ctx, next)
}

// match checks that objects are those of the intent: by their names, and by the
// messages that they hold.
func (in *intent) match(covered *feed.Range, objects []object) error {
	if in.First != covered.First || in.Last != positionOf(covered.Last) {
		return fmt.Errorf("the batch covers the offsets %d to %d, but %d to %d are being written", covered.First, covered.Last.Offset, in.First, in.Last.Offset)
	}
	same := func(r recordedObject, o object) bool { return r.Name == o.name && r.Holds == o.holds }
	if !slices.EqualFunc(in.Objects, objects, same) {
		other := ""
		for i, r := range in.Objects {
			if i >= len(objects) || !same(r, objects[i]) {
				other = ", such as " + r.Name
				break
			}
		}
		return &feed.ConfigError{
			Key: "path",
			Problem: fmt.Sprintf("the offsets %d to %d were being written to %d objects when the feed ended%s, but this configuration makes %d of other names, or of other messages",
				in.First, in.Last.Offset, len(in.Objects), other, len(objects)),
			Remedy: "start the feed once with the path, the envelope, the compression, the maxObjectBytes and the transforms that it had then, so that it can finish them",
		}
	}
	return nil
}

// commit records that a range is complete.
func (c *checkpoint) commit(ctx context.Context, covered *feed.Range, objects []object) error {
	last, next := positionOf(covered.Last), c.document
	next.From, next.Committed, next.Intent = c.from(covered), &last, nil
	if len(objects) > 0 {
		next.From = last.Offset + 1
	}
	return c.save(ctx, next)
}
