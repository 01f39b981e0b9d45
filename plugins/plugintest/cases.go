package plugintest

import (
	"errors"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// Case is a stage under test: a [Transform], [Sink], [Source], [Codec] or
// [Expectation].
type Case interface {
	stage() (feed.Kind, string)
	test(t *testing.T, s stages)
}

// Transform is a transform, which passes [feedtest.TestTransform], and makes the same
// of each message after its process was killed.
type Transform struct {
	Name          string
	Configuration string // a JSON object; empty is one without keys
	// Messages returns messages of all kinds that the transform may get, malformed
	// ones included, anew at each call.
	Messages func() []*message.Message
}

func (c Transform) stage() (feed.Kind, string) { return feed.KindTransform, c.Name }
func (c Transform) test(t *testing.T, s stages) {
	feedtest.TestTransform(t, feedtest.TransformUnderTest{
		New:      func(t testing.TB) feed.Transform { return s.transform(t, c.Name, c.Configuration) },
		Messages: c.Messages,
	})
	s.afterKill(t, func(t *testing.T) { c.testKill(t, s) })
}

// Sink is a sink, which passes [feedtest.TestSink], and writes on after its process
// was killed.
type Sink struct {
	Name string
	// Place returns a place of its own, that another process reaches, too: the
	// configuration for it, a JSON object, and what the suite needs to look behind
	// the sink. Its Sink is the suite's to set.
	Place func(t *testing.T) (configuration string, place feedtest.SinkUnderTest)
}

func (c Sink) stage() (feed.Kind, string) { return feed.KindSink, c.Name }
func (c Sink) test(t *testing.T, s stages) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		configuration, place := c.Place(t)
		place.Sink = s.sink(t, c.Name, configuration)
		return place
	})
	s.afterKill(t, func(t *testing.T) { c.testKill(t, s) })
}

// Source is a source, which passes [feedtest.TestSource], and hands out again what was
// unsettled when its process was killed.
type Source struct {
	Name string
	// Place is as that of [Sink]. Its Source is the suite's to set.
	Place func(t *testing.T) (configuration string, place feedtest.SourceUnderTest)
}

func (c Source) stage() (feed.Kind, string) { return feed.KindSource, c.Name }
func (c Source) test(t *testing.T, s stages) {
	feedtest.TestSource(t, func(t *testing.T) feedtest.SourceUnderTest {
		configuration, place := c.Place(t)
		place.Source = s.source(t, c.Name, configuration)
		return place
	})
	s.afterKill(t, func(t *testing.T) { c.testKill(t, s) })
}

// Expectation is an expectation, which passes [validatetest.TestSide], and reads the
// same after its process was killed.
type Expectation struct {
	Name string
	// Place is as that of [Sink]. Its Side is the suite's to set.
	Place func(t *testing.T) (configuration string, place validatetest.SideUnderTest)
}

func (c Expectation) stage() (feed.Kind, string) { return feed.KindExpectation, c.Name }
func (c Expectation) test(t *testing.T, s stages) {
	validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
		configuration, place := c.Place(t)
		place.Side = s.expectation(t, c.Name, configuration)
		return place
	})
	s.afterKill(t, func(t *testing.T) { c.testKill(t, s) })
}

// Codec is a codec, which gives back to the bit and in order what it got, after its
// process was killed, too, refuses what it cannot decode with an error, and keeps
// within limits.
type Codec struct {
	Name          string
	Configuration string // a JSON object; empty is one without keys
	// Batches returns batches of valid readings that the codec may get.
	Batches func() [][]reading.Reading
	// DecodesOnly says that it encodes nothing: then Bodies has for each batch the
	// body that is decoded to it.
	DecodesOnly bool
	Bodies      func() [][]byte
	// Damaged returns bodies that it cannot decode.
	Damaged func() [][]byte
}

func (c Codec) stage() (feed.Kind, string) { return feed.KindCodec, c.Name }
func (c Codec) test(t *testing.T, s stages) {
	codec := s.codec(t, c.Name, c.Configuration)
	if codec.Name() != c.Name {
		t.Errorf("the codec calls itself %q", codec.Name())
	}
	c.testBatches(t, codec)
	if c.Damaged != nil {
		for i, body := range c.Damaged() {
			_, err := codec.Decode(nil, body, batch.Limits{})
			var unavailable *batch.Unavailable
			if err == nil || errors.As(err, &unavailable) {
				t.Errorf("damaged body %d: decode returned %v", i, err)
			}
		}
	}
	s.afterKill(t, func(t *testing.T) { c.testKill(t, s) })
	if err := codec.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// testBatches checks that what is encoded is decoded to what it was.
func (c Codec) testBatches(t *testing.T, codec batch.Codec) {
	kept := []byte("kept")
	for i, want := range c.Batches() {
		var body []byte
		if c.DecodesOnly {
			body = c.Bodies()[i]
		} else {
			got, err := codec.Append(slices.Clone(kept), want)
			if err != nil {
				t.Fatalf("batch %d: encode: %v", i, err)
			}
			if !slices.Equal(got[:len(kept)], kept) {
				t.Fatalf("batch %d: what stood before the body is gone", i)
			}
			body = got[len(kept):]
		}
		first := reading.Reading{Device: "first", Tag: "t"}
		got, err := codec.Decode([]reading.Reading{first}, slices.Clone(body), batch.Limits{})
		if err != nil {
			t.Fatalf("batch %d: decode: %v", i, err)
		}
		if got[0] != first || !slices.Equal(got[1:], want) {
			t.Errorf("batch %d: decoded %v, want %v", i, got[1:], want)
		}
		if len(want) > 1 {
			if _, err := codec.Decode(nil, body, batch.Limits{MaxReadings: len(want) - 1}); err == nil {
				t.Errorf("batch %d: %d readings are decoded where %d are allowed", i, len(want), len(want)-1)
			}
		}
	}
}
