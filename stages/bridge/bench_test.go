package bridge

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

func TestAllocations(t *testing.T) {
	fields := Rule{Match: telemetry.Match, Fields: map[string]string{"/device": "{id}", "/seq": "{seq}"}, Topic: "kraft/{site}/{line}/{device}/{tag}/{id}/{seq}"}
	for _, tt := range []struct {
		name  string
		rule  Rule
		cache int
		want  float64
	}{
		{"remembered", telemetry, 1000, 1},     // the returned slice
		{"matched", telemetry, 0, 2},           // and the topic
		{"fields remembered", fields, 1000, 1}, // the returned slice
		{"fields matched", fields, 0, 3},       // and the fields, and the topic
	} {
		b := newBridge(t, func(c *Config) { c.CacheKeys = tt.cache }, tt.rule)
		m := keyed("")
		m.Payload = reading
		got := testing.AllocsPerRun(1000, func() {
			m.Metadata[feed.MetaTopic] = "telemetry.plant1.line2.press-0042.temperature"
			if _, err := b.Handle(m); err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.want {
			t.Errorf("%s: %v allocations a message, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	keys := make([]string, 2000)
	for i := range keys {
		keys[i] = fmt.Sprintf("telemetry.plant1.line%d.press-%04d.temperature", i%7, i)
	}
	thousand := make([]Rule, 0, 1000)
	for i := range 999 {
		thousand = append(thousand, Rule{Match: fmt.Sprintf("telemetry.site%d.{line}.{device}.{tag}", i), Topic: "kraft/{line}/{device}/{tag}"})
	}
	thousand = append(thousand, telemetry)
	headers := Rule{Match: telemetry.Match, Headers: map[string]string{"x-kind": "{kind}"}, Topic: "kraft/{kind}/{site}/{line}/{device}/{tag}"}

	two := Rule{Match: telemetry.Match, Fields: map[string]string{"/device": "{id}", "/quality": "{quality}"}, Topic: "kraft/{quality}/{site}/{line}/{device}/{tag}/{id}"}
	four := Rule{Match: telemetry.Match, Fields: map[string]string{"/device": "{id}", "/quality": "good", "/site": "{place}", "/line": "{where}"}, Topic: "kraft/{place}/{site}/{line}/{device}/{tag}/{id}/{where}"}
	last := Rule{Match: telemetry.Match, Fields: map[string]string{"/seq": "*"}, Topic: "kraft/{site}/{line}/{device}/{tag}"}

	counted := Rule{Match: telemetry.Match, Fields: map[string]string{"/device": "{id}", "/seq": "{seq}"}, Topic: "kraft/{site}/{line}/{device}/{tag}/{id}", Set: map[string]string{"seq": "{seq}"}}

	where := func(expression string) Rule {
		return Rule{Match: telemetry.Match, Where: expression, Topic: telemetry.Topic}
	}
	let := Rule{Match: telemetry.Match, Let: map[string]string{"d": `device.split("-")[1]`}, Topic: "kraft/{site}/{line}/{d}/{tag}"}
	selected, added, event := telemetry, telemetry, telemetry
	selected.Payload = Payload{Select: []string{"device", "ts", "value", "quality"}}
	added.Payload = Payload{Fields: map[string]string{"fahrenheit": `payload.value * 1.8 + 32.0`}}
	event.CloudEvents = &CloudEvents{Mode: ModeStructured, Type: "com.kraft.reading", Source: "/plants/{site}", Subject: "{device}/{tag}"}

	for _, bm := range []struct {
		name  string
		cache int
		rules []Rule
	}{
		{"remembered", 16384, []Rule{telemetry}},
		{"matched", 0, []Rule{telemetry}},
		{"too-many-keys", 100, []Rule{telemetry}},
		{"header", 16384, []Rule{headers}},
		{"1000-rules", 0, thousand},
		{"2-fields-remembered", 16384, []Rule{two}},
		{"2-fields-matched", 0, []Rule{two}},
		{"2-fields-too-many-values", 100, []Rule{two}},
		{"4-fields-remembered", 16384, []Rule{four}},
		{"4-fields-matched", 0, []Rule{four}},
		{"last-field-remembered", 16384, []Rule{last}},
		{"new-values", 16384, []Rule{counted}},
		{"where-key", 16384, []Rule{where(`site == "plant1"`)}},
		{"where-payload", 16384, []Rule{where(`payload.value > 100.0`)}},
		{"where-payload-2", 16384, []Rule{where(`payload.value > 100.0 && payload.quality == "good"`)}},
		{"where-whole-payload", 16384, []Rule{where(`payload["value"] > 100.0`)}},
		{"let", 16384, []Rule{let}},
		{"select", 16384, []Rule{selected}},
		{"event", 16384, []Rule{event}},
		{"payload-field", 16384, []Rule{added}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			br := newBridge(b, func(c *Config) { c.CacheKeys = bm.cache }, bm.rules...)
			m := &message.Message{Payload: bytes.Clone(reading), Metadata: message.Metadata{"x-kind": "telemetry"}}
			payload := m.Payload
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m.Metadata[feed.MetaTopic] = keys[i]
				if bm.name == "new-values" {
					count(payload[seqAt : seqAt+7])
				}
				if i++; i == len(keys) {
					i = 0
				}
				m.Payload = payload
				delete(m.Metadata, feed.MetaContentType)
				if _, err := br.Handle(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// seqAt is where the number seq stands in reading.
var seqAt = bytes.Index(reading, []byte("1234567"))

// count adds one to a number.
func count(digits []byte) {
	for i := len(digits) - 1; i > 0; i-- { // leave the first: it must not become 0
		if digits[i]++; digits[i] <= '9' {
			return
		}
		digits[i] = '0'
	}
}

// reading is a payload of 200 bytes, as the generate stage makes them.
var reading = []byte(`{"site":"plant1","line":"line2","device":"press-0042","tag":"temperature","ts":"2026-11-21T03:40:39.123456Z","value":182.4375,"quality":"good","seq":1234567,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}`)
