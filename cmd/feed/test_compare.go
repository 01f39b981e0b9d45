package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// difference is something that is not as a test expects. An empty text stands
// for nothing.
type difference struct{ at, want, got string }

// compare returns how the outcomes of a test differ from what it expects.
func compare(want []config.Expectation, got []outcome) []difference {
	var ds []difference
	for i := range max(len(want), len(got)) {
		at := fmt.Sprintf("outcome %d", i+1)
		switch {
		case i >= len(got):
			ds = append(ds, difference{at + " is missing", describeExpected(&want[i]), ""})
		case i >= len(want):
			ds = append(ds, difference{at + " is not expected", "", got[i].String()})
		default:
			ds = append(ds, compareOne(at, &want[i], got[i])...)
		}
	}
	return ds
}

func compareOne(at string, want *config.Expectation, got outcome) []difference {
	matches := got.kind == gotMessage
	switch {
	case want.Filtered != nil:
		matches = got.kind == gotFiltered && got.reason == *want.Filtered
	case want.Quarantined != nil:
		matches = got.kind == gotQuarantined && strings.Contains(got.reason, *want.Quarantined)
	case want.Retried != nil:
		matches = got.kind == gotRetried && strings.Contains(got.reason, *want.Retried)
	case matches:
		return compareMessage(at, &want.TestMessage, got.message)
	}
	if matches {
		return nil
	}
	return []difference{{at, describeExpected(want), got.String()}}
}

func compareMessage(at string, want *config.TestMessage, got *watermill.Message) []difference {
	var ds []difference
	text := func(what string, want *string, got string) {
		if want != nil && *want != got {
			ds = append(ds, difference{at + ", " + what, shown([]byte(*want)), shown([]byte(got))})
		}
	}
	text("id", want.ID, got.UUID)
	text("topic", want.Topic, feed.Topic(got))
	for _, name := range slices.Sorted(maps.Keys(want.Metadata)) {
		value := want.Metadata[name]
		if _, there := got.Metadata[name]; !there {
			ds = append(ds, difference{at + ", metadata " + name, shown([]byte(value)), ""})
			continue
		}
		text("metadata "+name, &value, got.Metadata[name])
	}
	payload, given := want.Bytes()
	switch {
	case want.Payload != nil:
		ds = append(ds, comparePayload(at+", payload", payload, got.Payload)...)
	case given && !bytes.Equal(payload, got.Payload):
		ds = append(ds, difference{at + ", payload", shown(payload), shown(got.Payload)})
	}
	return ds
}

// comparePayload compares two JSON documents by what they say.
func comparePayload(at string, want, got []byte) []difference {
	w, err := decodeJSON(want)
	if err != nil {
		return []difference{{at, shown(want), shown(got)}}
	}
	g, err := decodeJSON(got)
	if err != nil {
		return []difference{{at + " is no JSON", shown(want), shown(got)}}
	}
	return compareJSON(at, "", w, g)
}

// decodeJSON decodes one document and keeps its numbers as they are.
func decodeJSON(doc []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON document")
	}
	return v, nil
}

func compareJSON(at, pointer string, want, got any) []difference {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return compareObjects(at, pointer, w, g)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return compareArrays(at, pointer, w, g)
		}
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w.String(), g.String()) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return []difference{{place(at, pointer), asJSON(want), asJSON(got)}}
}

func compareObjects(at, pointer string, want, got map[string]any) []difference {
	var ds []difference
	keys := slices.AppendSeq(slices.Collect(maps.Keys(want)), maps.Keys(got))
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		w, wanted := want[k]
		g, there := got[k]
		below := pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
		switch {
		case !there:
			ds = append(ds, difference{place(at, below), asJSON(w), ""})
		case !wanted:
			ds = append(ds, difference{place(at, below), "", asJSON(g)})
		default:
			ds = append(ds, compareJSON(at, below, w, g)...)
		}
	}
	return ds
}

func compareArrays(at, pointer string, want, got []any) []difference {
	var ds []difference
	for i := range max(len(want), len(got)) {
		below := pointer + "/" + strconv.Itoa(i)
		switch {
		case i >= len(got):
			ds = append(ds, difference{place(at, below), asJSON(want[i]), ""})
		case i >= len(want):
			ds = append(ds, difference{place(at, below), "", asJSON(got[i])})
		default:
			ds = append(ds, compareJSON(at, below, want[i], got[i])...)
		}
	}
	return ds
}

func place(at, pointer string) string { return strings.TrimSpace(at + " " + pointer) }

// sameNumber reports whether two numbers are equal: whole ones digit by digit,
// others as far as a float64 tells them apart.
func sameNumber(a, b string) bool {
	if a == b || !strings.ContainsAny(a+b, ".eE") {
		return a == b
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

func asJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// shown returns bytes as a terminal shows them safely.
func shown(b []byte) string {
	if printable(b) && !bytes.ContainsAny(b, "\n\t") {
		return cmp.Or(string(b), `""`)
	}
	if printable(b) {
		return strconv.Quote(string(b))
	}
	return "base64: " + base64.StdEncoding.EncodeToString(b)
}

// String describes an outcome.
func (o outcome) String() string {
	if o.kind != gotMessage {
		return string(o.kind) + ": " + oneLine(o.reason, 1000)
	}
	return "message to " + shown([]byte(feed.Topic(o.message))) + ": " + shown(o.message.Payload)
}

func describeExpected(e *config.Expectation) string {
	switch {
	case e.Filtered != nil:
		return string(gotFiltered) + ": " + *e.Filtered
	case e.Quarantined != nil:
		return string(gotQuarantined) + ": …" + *e.Quarantined + "…"
	case e.Retried != nil:
		return string(gotRetried) + ": …" + *e.Retried + "…"
	}
	text := "a message"
	if e.Topic != nil {
		text = "message to " + *e.Topic
	}
	if payload, given := e.Bytes(); given {
		text += ": " + shown(payload)
	}
	return text
}
