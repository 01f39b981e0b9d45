package main

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/plugins/plugintest"
)

// boiling is a batch of one reading in the codec's format.
func boiling(t *testing.T) []byte {
	t.Helper()
	at := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	frame, err := batch.Append(nil, lines{}, "press7", 1, []reading.Reading{{Device: "press7", Tag: "oil", Time: at.UnixNano(), Value: reading.OfFloat(212), Quality: "good", Seq: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// What feed.yaml gives the route in its test is a batch as a device sends it.
func TestFileHasABatch(t *testing.T) {
	text, err := os.ReadFile("feed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.StdEncoding.EncodeToString(boiling(t)); !strings.Contains(string(text), want) {
		t.Errorf("feed.yaml should have base64: %s", want)
	}
}

// The codec gets back what it has written, and refuses what it cannot read.
func TestLines(t *testing.T) {
	rs := []reading.Reading{
		{Device: "press7", Tag: "oil", Time: 1, Value: reading.OfFloat(-0.1), Quality: "good", Seq: 1},
		{Device: "press7", Tag: "", Time: 2, Value: reading.OfFloat(1e300), Quality: "good", Seq: 2},
	}
	rs[1].Tag = "water"
	body, err := lines{}.Append(nil, rs)
	if err != nil {
		t.Fatal(err)
	}
	limits := batch.Limits{MaxBytes: 1000, MaxReadings: 2}
	got, err := lines{"good"}.Decode(nil, body, limits)
	if err != nil || len(got) != 2 || got[0] != rs[0] || got[1] != rs[1] {
		t.Errorf("got %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"a;b;c":                         "line 1: 3 fields",
		"a;b;2026-11-22T06:00:00Z;x;1":  "line 1: ",
		"a;b;today;1;1":                 "line 1: ",
		"a;b;2026-11-22T06:00:00Z;1;-1": "line 1: ",
		";b;2026-11-22T06:00:00Z;1;1":   "device is missing",
		strings.Repeat("x", 1001):       "1001 bytes",
		strings.Repeat(string(body), 2): "more than 2 lines",
	} {
		if _, err := (lines{"good"}).Decode(nil, []byte(text), limits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The stages keep the contracts in this process, and in one of their own, which is
// killed meanwhile: this test's binary is the plugin.
func TestMain(m *testing.M) { plugintest.Main(m, "customplugin", "1.0.0", factories()...) }

func TestPlugin(t *testing.T) {
	plugintest.Run(t, factories(),
		plugintest.Transform{Name: "celsius", Configuration: `{"field":"value"}`, Messages: func() []*message.Message {
			var all []*message.Message
			for _, payload := range []string{`{"value":212}`, `{"value":null}`, `{"value":"hot"}`, `{}`, `[`, ``} {
				all = append(all, message.NewMessage(payload, []byte(payload)))
			}
			return all
		}},
		plugintest.Codec{
			Name: "lines",
			Batches: func() [][]reading.Reading {
				return [][]reading.Reading{{
					{Device: "press7", Tag: "oil", Time: 1, Value: reading.OfFloat(-0.1), Quality: "good", Seq: 1},
					{Device: "press7", Tag: "water", Time: 2, Value: reading.OfFloat(1e300), Quality: "good", Seq: 2},
				}}
			},
			Damaged: func() [][]byte { return [][]byte{[]byte("a;b;c"), []byte(";;;;"), {0xff}} },
		},
	)
}
