package remote_test

import (
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

type cloudConfig struct {
	Identity string `yaml:"identity" doc:"What the side calls itself."`
}

func (*cloudConfig) Validate() error { return nil }

// view is a side over a shared memory that can be closed by itself.
type view struct {
	*validatetest.Memory
	identity string
}

func (v view) Traits() validate.Traits {
	traits := v.Memory.Traits()
	traits.Identity = v.identity
	return traits
}

func (view) Close() error { return nil }

func cloud(m *validatetest.Memory) feed.Factory {
	return validate.ExpectationFactory("cloud", "remembers", func() cloudConfig { return cloudConfig{Identity: "cloud"} },
		func(c cloudConfig, _ feed.StageEnv) (view, error) { return view{m, c.Identity}, nil })
}

func TestExpectationConforms(t *testing.T) {
	validatetest.TestSide(t, func(t *testing.T) validatetest.SideUnderTest {
		m := &validatetest.Memory{Name: "the cloud", Has: validate.Traits{Ordered: true, Arrival: true}}
		plugin, _ := connect(t, cloud(m))
		open := func(document string) *remote.Expectation {
			e, err := plugin.Expectation(t.Context(), "cloud", []byte(document), env)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		other := open(`{"identity": "other"}`)
		t.Cleanup(func() {
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		})
		put := func(_ testing.TB, rs ...reading.Reading) {
			for i, r := range rs {
				m.Put(validate.Record{Reading: r, Arrived: r.Time + 1, Place: validate.Place{Object: "page", Position: int64(i + 1)}})
			}
		}
		return validatetest.SideUnderTest{
			Side: open("{}"), Put: put, Others: []validate.Side{other},
			PutTwice: func(t testing.TB, r reading.Reading) { put(t, r, r) },
			PutUnreadable: func(testing.TB) {
				m.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "page", Position: 7}, Err: errTorn})
			},
		}
	})
}

func TestExpectationTellsItsWatermark(t *testing.T) {
	m := &validatetest.Memory{Name: "the cloud"}
	plugin, process := connect(t, cloud(m))
	e, err := plugin.Expectation(t.Context(), "cloud", []byte("{}"), env)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []time.Time{{}, time.Unix(0, 0).UTC(), time.Date(2026, 11, 22, 6, 0, 0, 1, time.UTC)} {
		m.SetWatermark(want)
		if got, err := e.Watermark(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		process.Kill() // and it is opened again
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Watermark(t.Context()); err == nil {
		t.Error("a closed expectation tells a watermark")
	}
}
