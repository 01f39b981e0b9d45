package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

var linesFactory = batch.Factory("lines", "Readings as lines of text: device;tag;time;value;seq, separated by semicolons.",
	func() linesConfig { return linesConfig{Quality: "good"} },
	func(c linesConfig, _ feed.StageEnv) (batch.Codec, error) { return lines{c.Quality}, nil })

type linesConfig struct {
	Quality string `yaml:"quality" doc:"Quality of all readings, of which the format says nothing."`
}

// Validate reports what is wrong with the settings.
func (c *linesConfig) Validate() error {
	if c.Quality == "" || len(c.Quality) > reading.MaxName {
		return &feed.ConfigError{Key: "quality", Problem: fmt.Sprintf("must have 1 to %d bytes", reading.MaxName), Remedy: "write a word such as good, or remove the key"}
	}
	return nil
}

// lines is the codec.
type lines struct{ quality string }

// Name is what stands in the envelope of a batch.
func (lines) Name() string { return "lines" }

// Append writes numbers and texts; a reader of the format cannot tell the number 1
// from the text "1".
func (lines) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	for i := range rs {
		r := &rs[i]
		if r.Value.Kind() != reading.Float || strings.ContainsAny(r.Device+r.Tag, ";\n") {
			return nil, fmt.Errorf("reading %d: the format has numbers only, and names without semicolon", i)
		}
		dst = fmt.Appendf(dst, "%s;%s;%s;%s;%d\n", r.Device, r.Tag, r.At().Format(time.RFC3339Nano), strconv.FormatFloat(r.Value.Float(), 'g', -1, 64), r.Seq)
	}
	return dst, nil
}

// Decode reads no more than the limits allow, and says which line it cannot read.
func (l lines) Decode(dst []reading.Reading, body []byte, limits batch.Limits) ([]reading.Reading, error) {
	limits = limits.OrDefaults()
	if len(body) > limits.MaxBytes {
		return dst, &batch.Corrupt{Reason: batch.ReasonLimits, Err: fmt.Errorf("%d bytes", len(body))}
	}
	scanner := bufio.NewScanner(bytes.NewReader(body))
	for n := 1; scanner.Scan(); n++ {
		if n > limits.MaxReadings {
			return dst, &batch.Corrupt{Reason: batch.ReasonLimits, Err: fmt.Errorf("more than %d lines", limits.MaxReadings)}
		}
		r, err := l.parse(scanner.Text())
		if err != nil {
			return dst, fmt.Errorf("line %d: %w", n, err)
		}
		dst = append(dst, r)
	}
	return dst, scanner.Err()
}

func (l lines) parse(line string) (reading.Reading, error) {
	parts := strings.Split(line, ";")
	if len(parts) != 5 {
		return reading.Reading{}, fmt.Errorf("%d fields, there should be 5", len(parts))
	}
	at, err := time.Parse(time.RFC3339Nano, parts[2])
	if err != nil {
		return reading.Reading{}, err
	}
	value, err := strconv.ParseFloat(parts[3], 64)
	if err != nil {
		return reading.Reading{}, err
	}
	seq, err := strconv.ParseUint(parts[4], 10, 64)
	if err != nil {
		return reading.Reading{}, err
	}
	r := reading.Reading{Device: parts[0], Tag: parts[1], Time: at.UnixNano(), Value: reading.OfFloat(value), Quality: l.quality, Seq: seq}
	return r, r.Validate()
}
