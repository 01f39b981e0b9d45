package cloudapi

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"sync"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

const (
	contentLines = "application/x-ndjson"
	maxReadings  = 100_000 // of a delivery
)

var limits = batch.Limits{MaxReadings: maxReadings}

// deliver is POST /v1/batches.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request) error {
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || contentType != batch.ContentType && contentType != contentLines {
		return refuse(http.StatusUnsupportedMediaType, "Content-Type %.80q is unknown: send %s or %s", r.Header.Get("Content-Type"), batch.ContentType, contentLines)
	}
	var d delivery
	v, err := parseValues(r, "device", "sequence")
	if err == nil {
		err = d.number(v, contentType)
	}
	if err != nil {
		return err
	}
	return s.withBody(r, func(body []byte) error {
		if err := s.decoding.Acquire(r.Context(), 1); err != nil {
			return err
		}
		defer s.decoding.Release(1)
		unpack := d.unpackLines
		if contentType == batch.ContentType {
			unpack = d.unpackFrame
		}
		if err := unpack(body); err != nil {
			return err
		}
		receipt, err := s.store.put(r.Context(), &d)
		if err != nil {
			return err
		}
		answer(w, http.StatusOK, "application/json", receipt)
		return nil
	})
}

// number takes device and sequence, which make a batch of lines. A frame has its
// own.
func (d *delivery) number(v values, contentType string) error {
	device, sequence := v["device"], v["sequence"]
	switch {
	case device == "" && sequence == "":
		return nil
	case contentType == batch.ContentType:
		return refuse(http.StatusBadRequest, "device and sequence stand in the frame: leave them out of the URL")
	case device == "" || sequence == "":
		return refuse(http.StatusBadRequest, "device and sequence belong together: give both or neither")
	}
	n, err := strconv.ParseUint(sequence, 10, 64)
	if err != nil {
		return refuse(http.StatusBadRequest, "sequence: %.40q is no number of a batch", sequence)
	}
	d.device, d.sequence = device, n
	return d.checkSequence()
}

func (d *delivery) checkSequence() error {
	if d.sequence == 0 {
		return refuse(http.StatusBadRequest, "sequence: batches are counted from 1")
	}
	return nil
}

// unpackFrame takes one frame of package batch.
func (d *delivery) unpackFrame(frame []byte) error {
	b, err := batch.Parse(frame, limits)
	if err == nil {
		d.readings, err = b.Decode(batch.All(), nil, limits)
	}
	if err != nil {
		status := http.StatusBadRequest
		var c *batch.Corrupt
		if errors.As(err, &c) && c.Reason == batch.ReasonLimits {
			status = http.StatusRequestEntityTooLarge
		}
		return refuse(status, "%v", err)
	}
	d.device, d.sequence, d.checksum = b.Device, b.Sequence, b.Checksum
	return d.checkSequence()
}

// parsers keep the names that they have seen.
var parsers = sync.Pool{New: func() any { return new(reading.Parser) }}

// unpackLines takes a reading as JSON on each line.
func (d *delivery) unpackLines(text []byte) error {
	p := parsers.Get().(*reading.Parser)
	defer parsers.Put(p)
	d.checksum = sha256.Sum256(text)
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(d.readings) == maxReadings {
			return refuse(http.StatusRequestEntityTooLarge, "there are more than %d readings: send less at once", maxReadings)
		}
		r, err := p.Parse(line)
		if err != nil {
			return refuse(http.StatusBadRequest, "line %d: %v", n, err)
		}
		if d.sequence > 0 && r.Device != d.device {
			return refuse(http.StatusBadRequest, "line %d: the reading is of device %q, the batch of %q", n, r.Device, d.device)
		}
		d.readings = append(d.readings, r)
	}
	if len(d.readings) == 0 {
		return refuse(http.StatusBadRequest, "there are no readings: send one at least")
	}
	return nil
}
