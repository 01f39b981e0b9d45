package config

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// json writes what stands in the file as a JSON document. Keys keep their order
// and numbers their form.
func (d *decoder) json(n *yaml.Node, key string, depth int) JSON {
	var b bytes.Buffer
	if !d.writeJSON(&b, n, key, depth) {
		return nil
	}
	return b.Bytes()
}

// writeJSON reports whether the node, and all below it, could be written.
func (d *decoder) writeJSON(b *bytes.Buffer, n *yaml.Node, key string, depth int) bool {
	n = resolve(n)
	if depth > 0 && !d.affordable(n, key, depth) {
		return false
	}
	switch n.Kind {
	case yaml.MappingNode:
		es, ok := d.entries(n, key, "{value: 1}")
		b.WriteByte('{')
		for i, e := range es {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, e.name)
			b.WriteByte(':')
			ok = d.writeJSON(b, e.value, joinKey(key, e.name), depth+1) && ok
		}
		b.WriteByte('}')
		return ok
	case yaml.SequenceNode:
		b.WriteByte('[')
		ok := true
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			ok = d.writeJSON(b, c, key+"["+strconv.Itoa(i)+"]", depth+1) && ok
		}
		b.WriteByte(']')
		return ok
	}
	return d.writeScalar(b, n, key)
}

func (d *decoder) writeScalar(b *bytes.Buffer, n *yaml.Node, key string) bool {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
		return true
	case "!!str", "!!timestamp":
		writeText(b, n.Value)
		return true
	case "!!bool":
		var v bool
		if n.Decode(&v) == nil {
			b.WriteString(strconv.FormatBool(v))
			return true
		}
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
			return true
		}
		var i int64
		if n.ShortTag() == "!!int" && n.Decode(&i) == nil { // 0x10 and 1_000
			b.WriteString(strconv.FormatInt(i, 10))
			return true
		}
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
			return true
		}
	}
	d.problem(n, key, "JSON has no such value: "+quote(n.Value), "write text: or base64: for a payload that is no JSON")
	return false
}

// writeText writes a JSON string.
func writeText(b *bytes.Buffer, text string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text)      // a string in a buffer cannot fail
	b.Truncate(b.Len() - 1) // the newline
}
