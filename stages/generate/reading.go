package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Reading is one value of one tag of a device.
type Reading struct {
	Site    string    `json:"site"`
	Line    string    `json:"line"`
	Device  string    `json:"device"`
	Tag     string    `json:"tag"`
	Time    time.Time `json:"ts"`
	Value   float64   `json:"value"` // finite
	Quality string    `json:"quality"`
	// Seq counts the readings of the device from 1, without gaps.
	Seq uint64 `json:"seq"`
}

// RoutingKey returns telemetry.<site>.<line>.<device>.<tag>.
func (r *Reading) RoutingKey() string {
	return "telemetry." + r.Site + "." + r.Line + "." + r.Device + "." + r.Tag
}

// AppendJSON appends the reading as a JSON object of at least minBytes bytes.
// It allocates only when dst is too small.
func (r *Reading) AppendJSON(dst []byte, minBytes int) []byte {
	start := len(dst)
	dst = appendString(append(dst, `{"site":`...), r.Site)
	dst = appendString(append(dst, `,"line":`...), r.Line)
	dst = appendString(append(dst, `,"device":`...), r.Device)
	dst = appendString(append(dst, `,"tag":`...), r.Tag)
	dst = append(dst, `,"ts":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","value":`...)
	value := r.Value
	if math.IsNaN(value) || math.IsInf(value, 0) {
		value = 0 // JSON has no such number
	}
	dst = strconv.AppendFloat(dst, value, 'g', -1, 64)
	dst = appendString(append(dst, `,"quality":`...), r.Quality)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), r.Seq, 10)
	if missing := minBytes - (len(dst) - start) - len("}"); missing > 0 {
		const frame = `,"pad":""`
		dst = append(dst, frame[:len(frame)-1]...)
		for range missing - len(frame) {
			dst = append(dst, 'x')
		}
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s) // a string never fails
			if err != nil {
				return append(dst, `""`...)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// ParseReading reads what AppendJSON has written. A payload of another form is
// an error.
func ParseReading(payload []byte) (Reading, error) {
	var padded struct {
		Reading
		Pad string `json:"pad"`
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&padded); err != nil {
		return Reading{}, fmt.Errorf("parse reading: %w", err)
	}
	if d.More() {
		return Reading{}, fmt.Errorf("parse reading: something follows the object")
	}
	if padded.Device == "" || padded.Seq == 0 {
		return Reading{}, fmt.Errorf("parse reading: device or seq is missing")
	}
	return padded.Reading, nil
}
