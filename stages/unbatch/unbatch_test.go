package unbatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

// readings returns n readings of press7, the first with the given value.
func readings(n int, value float64) []reading.Reading {
	rs := make([]reading.Reading, n)
	for i := range rs {
		rs[i] = reading.Reading{
			Site: "plant1", Line: "line2", Device: "press7", Tag: fmt.Sprintf("tag%d", i%5),
			Time: 1_795_230_245_120_000_000 + int64(i)*1e6, Value: reading.OfFloat(value + float64(i)), Quality: "good", Seq: uint64(i),
		}
	}
	return rs
}

func frame(t testing.TB, c batch.Codec, sequence uint64, rs []reading.Reading) []byte {
	t.Helper()
	f, err := batch.Append(nil, c, rs[0].Device, sequence, rs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newUnbatch(t testing.TB, edit func(*Config)) *Unbatch {
	t.Helper()
	c := DefaultConfig()
	if edit != nil {
		edit(&c)
	}
	u, err := NewUnbatch(c, feed.StageEnv{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return u
}

// withCache puts the cache into a file, in a directory that is to be made.
func withCache(t testing.TB) func(*Config) {
	path := filepath.Join(t.TempDir(), "state 100%?#", "batches.db")
	return func(c *Config) { c.Cache.Path = path }
}

func handle(t testing.TB, u *Unbatch, payload []byte) []*message.Message {
	t.Helper()
	msgs, err := u.Handle(&message.Message{Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	return msgs
}

func TestMessages(t *testing.T) {
	rs := readings(3, 20)
	rs[1].Site, rs[1].Tag = "", "ü"
	m := message.NewMessage("mine", frame(t, batch.Columnar(), 42, rs))
	e, err := batch.ParseEnvelope(m.Payload)
	if err != nil {
		t.Fatal(err)
	}
	prefix := fmt.Sprintf("press7/42/%x/", e.Checksum[:8])
	type key struct{}
	m.SetContext(context.WithValue(t.Context(), key{}, true))
	msgs, err := newUnbatch(t, nil).Handle(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(msgs) != 3 {
		t.Fatalf("%d messages of 3 readings", len(msgs))
	}
	for i, want := range []struct{ id, topic, time string }{
		{"0", "telemetry.plant1.line2.press7.tag0", "2026-11-21T03:04:05.12Z"},
		{"1", "telemetry.-.line2.press7.ü", "2026-11-21T03:04:05.121Z"},
		{"2", "telemetry.plant1.line2.press7.tag2", "2026-11-21T03:04:05.122Z"},
	} {
		got := msgs[i]
		metadata := message.Metadata{feed.MetaTopic: want.topic, feed.MetaTime: want.time, feed.MetaContentType: "application/json"}
		if got.UUID != prefix+want.id || !maps.Equal(got.Metadata, metadata) || string(got.Payload) != string(rs[i].AppendJSON(nil)) {
			t.Errorf("message %d: %s %v %s", i, got.UUID, got.Metadata, got.Payload)
		}
		if got.Context().Value(key{}) == nil {
			t.Errorf("message %d has not the context of the batch", i)
		}
	}
	// What is done to one of them does nothing to the others.
	msgs[0].Payload = append(msgs[0].Payload, "..."...)
	msgs[0].Metadata["more"] = "x"
	if string(msgs[1].Payload) != string(rs[1].AppendJSON(nil)) || len(msgs[1].Metadata) != 3 {
		t.Errorf("a change of the first message changed the second: %s %v", msgs[1].Payload, msgs[1].Metadata)
	}
}

// TestSequenceBeginsAgain: what a device sends under a number that it has used
// before has ids of its own, so that nobody takes it for a repetition. A batch
// that comes again has the same ones.
func TestSequenceBeginsAgain(t *testing.T) {
	u := newUnbatch(t, nil)
	first, other := frame(t, batch.Columnar(), 1, readings(3, 20)), frame(t, batch.Columnar(), 1, readings(3, 21))
	ids := idsOf(handle(t, u, first))
	for _, id := range idsOf(handle(t, u, other)) {
		if slices.Contains(ids, id) {
			t.Errorf("%s names readings of two batches", id)
		}
	}
	if again := idsOf(handle(t, u, first)); !slices.Equal(again, ids) {
		t.Errorf("ids %s, then %s", ids, again)
	}
}

// TestAnyReadings comes out as it went in, with topics of its own.
func TestAnyReadings(t *testing.T) {
	u := newUnbatch(t, nil)
	var p reading.Parser
	rapid.Check(t, func(rt *rapid.T) {
		rs := rapid.SliceOfN(readingtest.Readings(), 1, 30).Draw(rt, "readings")
		for i := range rs {
			rs[i].Device = rs[0].Device
		}
		f := frame(t, rapid.SampledFrom(batch.All()).Draw(rt, "codec"), math.MaxUint64, rs)
		e, err := batch.ParseEnvelope(f)
		if err != nil {
			rt.Fatal(err)
		}
		msgs := handle(t, u, f)
		if len(msgs) != len(rs) {
			rt.Fatalf("%d messages of %d readings", len(msgs), len(rs))
		}
		for i, m := range msgs {
			got, err := p.Parse(m.Payload)
			if err != nil || got != rs[i] {
				rt.Fatalf("%s is %+v, %v, want %+v", m.Payload, got, err, rs[i])
			}
			if topic := string(rs[i].AppendRoutingKey(nil)); feed.Topic(m) != topic {
				rt.Fatalf("topic %s, want %s", feed.Topic(m), topic)
			}
			if want := fmt.Sprintf("%s/18446744073709551615/%x/%d", rs[0].Device, e.Checksum[:8], i); m.UUID != want {
				rt.Fatalf("id %s, want %s", m.UUID, want)
			}
		}
	})
}

// TestPermanent: what is not whole is condemned with its reason, and marks
// nothing.
func TestPermanent(t *testing.T) {
	good := frame(t, batch.JSONGzip(), 1, readings(10, 20))
	flipped := slices.Clone(good)
	flipped[len(flipped)-1] ^= 1
	wide := readings(1, 20)
	wide[0].Value = reading.OfText(strings.Repeat("\x01", 1000)) // six bytes each as JSON
	for _, tt := range []struct {
		name    string
		payload []byte
		want    string
	}{
		{"text", []byte(`{"value":1}`), "format: "},
		{"nothing", nil, "truncated: "},
		{"cut", good[:len(good)-1], "truncated: "},
		{"flipped", flipped, "checksum: "},
		{"codec", frame(t, renamed{batch.JSONGzip()}, 1, readings(10, 20)), `batch "press7"/1: batch: codec: "other" is unknown`},
		{"limits", frame(t, batch.Columnar(), 1, readings(101, 20)), "limits: "},
		{"payloads", frame(t, batch.Columnar(), 1, wide), "limits: the payloads and topics of 1 readings have "},
	} {
		u := newUnbatch(t, func(c *Config) {
			withCache(t)(c)
			c.Limits.MaxReadings, c.Limits.MaxBytes = 100, 5000
		})
		msgs, err := u.Handle(&message.Message{Payload: tt.payload})
		if !feed.IsPermanent(err) || !strings.Contains(err.Error(), tt.want) || len(msgs) > 0 {
			t.Errorf("%s: %d messages, %v, want a permanent error with %q", tt.name, len(msgs), err, tt.want)
		}
		if n := u.events.Events()[eventCorrupt]; n != 1 {
			t.Errorf("%s: counted %d times", tt.name, n)
		}
		if len(u.memory.inFlight) > 0 {
			t.Errorf("%s: it is in flight", tt.name)
		}
		handle(t, u, good)
	}
}

// TestBomb: payloads may be many times as long as what they are made of. They cost
// what the limits allow, and their growing.
func TestBomb(t *testing.T) {
	long := strings.Repeat("\x01", reading.MaxName) // six bytes each as JSON
	rs := make([]reading.Reading, 50_000)
	for i := range rs {
		rs[i] = reading.Reading{Site: long, Line: long, Device: "d", Tag: long, Quality: long}
	}
	bomb := frame(t, batch.Columnar(), 1, rs)
	u := newUnbatch(t, func(c *Config) { c.Limits.MaxBytes = 8 * feed.MiB })
	got, err := costOf(func() error {
		_, err := u.Handle(&message.Message{Payload: bomb})
		return err
	})
	if !feed.IsPermanent(err) || !strings.Contains(err.Error(), "limits: the payloads") {
		t.Errorf("%v, want a permanent error", err)
	}
	const readings, growing = 50_000 * 128 * 2, 5
	if most := uint64(readings + growing*8<<20); got > most {
		t.Errorf("%d bytes of batch take %d bytes of memory, more than %d", len(bomb), got, most)
	} else {
		t.Logf("%d bytes of batch take %d bytes of memory", len(bomb), got)
	}
}

// costOf returns how many bytes are allocated.
func costOf(do func() error) (uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

// TestManyReadings: of columns that are all the same, a hundred bytes say any number
// of readings, which no ratio bounds. Each costs what maxReadings states.
func TestManyReadings(t *testing.T) {
	rs := make([]reading.Reading, DefaultConfig().Limits.MaxReadings)
	for i := range rs {
		rs[i] = reading.Reading{Device: "d", Tag: "t", Seq: uint64(i)}
	}
	small := frame(t, batch.Columnar(), 1, rs)
	u := newUnbatch(t, nil)
	var msgs []*message.Message
	got, err := costOf(func() (err error) {
		msgs, err = u.Handle(&message.Message{Payload: small})
		return err
	})
	if err != nil || len(msgs) != len(rs) || len(small) > 150 {
		t.Fatalf("%d messages of %d bytes, %v", len(msgs), len(small), err)
	}
	const most = 1200 // and 920 without the race detector
	if each := got / uint64(len(rs)); each > most {
		t.Errorf("%d bytes of memory for each reading, more than %d", each, most)
	} else {
		t.Logf("%d bytes of batch take %d bytes of memory for each of %d readings", len(small), each, len(rs))
	}
}

// renamed is a codec that nobody else knows.
type renamed struct{ batch.Codec }

func (renamed) Name() string { return "other" }

// TestOwnCodec: a caller's codec is used.
func TestOwnCodec(t *testing.T) {
	u := newUnbatch(t, func(c *Config) { c.Codecs = nested(renamed{batch.Columnar()}) })
	if msgs := handle(t, u, frame(t, renamed{batch.Columnar()}, 1, readings(10, 20))); len(msgs) != 10 {
		t.Errorf("%d messages", len(msgs))
	}
	if msgs := handle(t, u, frame(t, batch.Columnar(), 2, readings(10, 21))); len(msgs) != 10 {
		t.Errorf("%d messages of a built-in codec", len(msgs))
	}
	u = newUnbatch(t, nil)
	if _, err := u.Handle(&message.Message{Payload: frame(t, renamed{batch.Columnar()}, 1, readings(10, 20))}); !feed.IsPermanent(err) {
		t.Errorf("a codec that is not known: %v", err)
	}
}

type noSettings struct{}

func (*noSettings) Validate() error { return nil }

// nested returns a codec as the settings name it.
func nested(c batch.Codec) []feed.Nested {
	f := batch.Factory(c.Name(), "", func() noSettings { return noSettings{} }, func(noSettings, feed.StageEnv) (batch.Codec, error) { return c, nil })
	return []feed.Nested{{Name: f.Name, Config: f.NewConfig(), Factory: f}}
}

// closing counts how often it is closed. It could do its work when it does not fail.
type closing struct {
	failing
	closed int
}

func (c *closing) Name() string { return "closing" }
func (c *closing) Close() error { c.closed++; return nil }

// Probe implements [feed.Prober].
func (c *closing) Probe(context.Context) error { return c.err }

// TestCodecThatIsNotThere: a batch whose codec cannot do its work comes again, and
// is no corrupt one. Until it has come the codec is asked whether it could work now.
// It is closed with the stage.
func TestCodecThatIsNotThere(t *testing.T) {
	codec := &closing{failing: failing{Codec: batch.Columnar(), err: &batch.Unavailable{Err: errors.New("its process has ended")}}}
	u := newUnbatch(t, func(c *Config) { c.Codecs = nested(codec) })
	good := frame(t, codec, 1, readings(10, 20))
	if _, err := u.Handle(&message.Message{Payload: good}); err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), "codec closing: its process has ended") {
		t.Errorf("error %v", err)
	}
	if n := u.events.Events()[eventCorrupt]; n != 0 {
		t.Errorf("%d corrupt batches", n)
	}
	probe := u.Transform().Probe
	if err := probe(t.Context()); err == nil || err.Error() != "codec closing: its process has ended" {
		t.Errorf("the probe says %v", err)
	}
	away := codec.err
	codec.err = nil
	if msgs := handle(t, u, good); len(msgs) != 10 {
		t.Errorf("%d messages", len(msgs))
	}
	codec.err = away
	if err := probe(t.Context()); err != nil {
		t.Errorf("a codec that nobody waits for is asked: %v", err)
	}
	if err := errors.Join(u.Close(), u.Close()); err != nil {
		t.Error(err)
	}
	if codec.closed != 1 {
		t.Errorf("closed %d times", codec.closed)
	}
}

// failing decodes all readings, and then fails when it is told to.
type failing struct {
	batch.Codec
	err error
}

func (f *failing) Decode(dst []reading.Reading, body []byte, l batch.Limits) ([]reading.Reading, error) {
	rs, err := f.Codec.Decode(dst, body, l)
	if f.err != nil {
		return dst, f.err
	}
	return rs, err
}

// TestNothingIsKept: the memory that is used again holds no readings, whether the
// batch before was good or bad.
func TestNothingIsKept(t *testing.T) {
	codec := &failing{Codec: batch.Columnar()}
	u := newUnbatch(t, func(c *Config) { c.Codecs = nested(codec) })
	for _, codec.err = range []error{nil, errors.New("bad")} {
		_, err := u.Handle(&message.Message{Payload: frame(t, codec, 1, readings(10, 20))})
		if (err == nil) != (codec.err == nil) {
			t.Fatal(err)
		}
		kept := u.readings[:cap(u.readings)]
		if len(kept) == 0 || slices.ContainsFunc(kept, func(r reading.Reading) bool { return r != reading.Reading{} }) {
			t.Errorf("after %v: %+v", err, kept)
		}
	}
}

func TestConforms(t *testing.T) {
	good := frame(t, batch.JSONZstd(), 1, readings(10, 20))
	for _, edit := range []func(*Config){nil, withCache(t)} {
		feedtest.TestTransform(t, feedtest.TransformUnderTest{
			New: func(t testing.TB) feed.Transform { return feed.Transform{Func: newUnbatch(t, edit).Handle} },
			Messages: func() []*message.Message {
				var all []*message.Message
				for _, payload := range [][]byte{
					good, good, good[:50], nil, []byte("{}"),
					frame(t, batch.Columnar(), 2, readings(1000, 20)),
					frame(t, batch.JSONGzip(), 2, readings(1000, 21)), // a conflict, with a cache
				} {
					all = append(all, &message.Message{Payload: slices.Clone(payload), Metadata: message.Metadata{feed.MetaTopic: "batches", "x": "y"}})
				}
				return all
			},
		})
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.Cache.MaxBytes = 1 }, "cache.maxBytes: 1B is out of range"},
		{func(c *Config) { c.Cache.Path, c.Cache.MaxAge = "x", time.Second }, "cache.maxAge: 1s is too short"},
		{func(c *Config) { c.Cache.MaxAge = time.Hour }, "cache.path: maxAge has no effect"},
		{func(c *Config) { c.Limits.MaxBytes = 0 }, "limits.maxBytes: 0B is out of range"},
		{func(c *Config) { c.Limits.MaxRatio = 0 }, "limits.maxRatio: 0 is out of range"},
		{func(c *Config) { c.Limits.MaxReadings = -1 }, "limits.maxReadings: -1 is out of range"},
		{func(c *Config) { c.Limits.MaxReadings = 1_000_001 }, "limits.maxReadings: 1000001 is out of range"},
		{func(c *Config) { c.Limits.MaxWindow = feed.TiB }, "limits.maxWindow: 1TiB is out of range"},
		{func(c *Config) { c.Limits.MaxText = 2 * feed.MiB }, "limits.maxText: 2MiB is out of range"},
	} {
		c := DefaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		tt.edit(&c)
		_, err := NewUnbatch(c, feed.StageEnv{})
		var ce *feed.ConfigError
		if !errors.As(err, &ce) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

// TestConstructorDoesNoIO: the file is made when the first batch comes.
func TestConstructorDoesNoIO(t *testing.T) {
	var path string
	u := newUnbatch(t, func(c *Config) {
		withCache(t)(c)
		path = c.Cache.Path
	})
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("the constructor made the directory: %v", err)
	}
	handle(t, u, frame(t, batch.Columnar(), 1, readings(1, 20)))
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
