package config

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// json writes what stands in the file as a JSON document, with references
// expanded or as they stand. Keys keep their order and numbers their form.
func (d *decoder) json(n *yaml.Node, key string, depth int, expanded bool) JSON {
	w := jsonWriter{decoder: d, expanded: expanded}
	if !w.write(n, key, depth) {
		return nil
	}
	return w.b.Bytes()
}

// object writes a mapping that stands in the file as a JSON object with
// references expanded.
func (d *decoder) object(n *yaml.Node, key string, depth int) JSON {
	n = resolve(n)
	if isNull(n) {
		return JSON("{}")
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, key, "expected a mapping such as {key: …}, got "+kindOf(n), "")
		return JSON("{}")
	}
	return d.json(n, key, depth, true)
}

// jsonWriter writes what stands in a file as JSON.
type jsonWriter struct {
	*decoder
	b        bytes.Buffer
	expanded bool
}

// write reports whether the node, and all below it, could be written.
func (w *jsonWriter) write(n *yaml.Node, key string, depth int) bool {
	n = resolve(n)
	if depth > 0 && !w.affordable(n, key, depth) {
		return false
	}
	switch n.Kind {
	case yaml.MappingNode:
		es, ok := w.entries(n, key, "{value: 1}")
		w.b.WriteByte('{')
		for i, e := range es {
			if i > 0 {
				w.b.WriteByte(',')
			}
			writeText(&w.b, e.name)
			w.b.WriteByte(':')
			ok = w.write(e.value, joinKey(key, e.name), depth+1) && ok
		}
		w.b.WriteByte('}')
		return ok
	case yaml.SequenceNode:
		w.b.WriteByte('[')
		ok := true
		for i, c := range n.Content {
			if i > 0 {
				w.b.WriteByte(',')
			}
			ok = w.write(c, key+"["+strconv.Itoa(i)+"]", depth+1) && ok
		}
		w.b.WriteByte(']')
		return ok
	}
	return w.writeScalar(n, key)
}

func (w *jsonWriter) writeScalar(n *yaml.Node, key string) bool {
	switch n.ShortTag() {
	case "!!null":
		w.b.WriteString("null")
		return true
	case "!!str", "!!timestamp":
		text := n.Value
		if w.expanded && strings.Contains(text, "$") {
			var ok bool
			if text, _, ok = w.text(n, reflect.TypeFor[string](), key); !ok {
				return false
			}
			w.hide(text)
		}
		writeText(&w.b, text)
		return true
	case "!!bool":
		var v bool
		if n.Decode(&v) == nil {
			w.b.WriteString(strconv.FormatBool(v))
			return true
		}
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			w.b.WriteString(n.Value)
			return true
		}
		var i int64
		if n.ShortTag() == "!!int" && n.Decode(&i) == nil { // 0x10 and 1_000
			w.b.WriteString(strconv.FormatInt(i, 10))
			return true
		}
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			w.b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
			return true
		}
	}
	remedy := "write text: or base64: for a payload that is no JSON"
	if w.expanded { // no payload
		remedy = ""
	}
	w.problem(n, key, "JSON has no such value: "+quote(n.Value), remedy)
	return false
}

// writeText writes a JSON string.
func writeText(b *bytes.Buffer, text string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)      // a string in a buffer cannot fail
	b.Truncate(b.Len() - 1) // the newline
}
