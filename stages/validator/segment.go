package validator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// segment is a file of the store: what arrived during some time.
type segment struct {
	Number   int      `json:"number"`
	Size     int64    `json:"size"` // in bytes, as far as it is durable
	Readings int64    `json:"readings"`
	Began    int64    `json:"began"`   // when the first reading arrived, in nanoseconds since 1970
	Arrived  int64    `json:"arrived"` // the last one
	Covers   coverage `json:"covers"`
}

// position is the end of what has been stored at some moment.
type position struct {
	Segment int   `json:"segment"`
	Offset  int64 `json:"offset"`
}

const segmentSuffix = ".readings"

func segmentName(number int) string { return fmt.Sprintf("%08d%s", number, segmentSuffix) }

// segmentNumber is the other way round.
func segmentNumber(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && segmentName(n) == name
}

// note adds a block that is durable, and ends at an offset.
func (g *segment) note(h *header, end int64) {
	if g.Readings == 0 {
		g.Began = h.arrived
	}
	g.Size, g.Readings, g.Arrived = end, h.first-1+int64(h.count), h.arrived // also those that are damaged
	g.Covers = g.Covers.merge(h.covers, h.arrived)
}

// ahead is how far a reading's time may be ahead of its arrival, to keep its
// segment for longer: a clock may be wrong by years.
const ahead = 24 * time.Hour

// age is the time to which retention counts: that of the newest reading, or of its
// arrival.
func (g *segment) age() int64 {
	return max(g.Arrived, min(g.Covers.whole().To, g.Arrived+int64(ahead)))
}

// due is the times of the readings for whose windows the segment is kept, and which
// are not judged any more without it.
func (g *segment) due() coverage { return g.Covers.until(g.Arrived + int64(ahead)) }

// survey reads what a segment holds, from a position of the store on also the times
// of what arrived since. check reads all of it, to find the end of what was written
// as a whole.
func survey(dir string, number int, since position, check bool) (g segment, touched coverage, err error) {
	g = segment{Number: number}
	f, err := os.Open(filepath.Join(dir, segmentName(number)))
	if err != nil {
		return g, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return g, nil, err
	}
	var batch []header // whose end has not come yet
	for s := scan(f, 0, info.Size()); ; {
		bad, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			if !check {
				g.Size = info.Size()
			}
			return g, touched, nil
		case err != nil:
			return g, nil, err
		case bad != nil:
			continue
		}
		if check {
			body, err := s.read()
			if err != nil {
				return g, nil, err
			}
			if _, err := s.readings(nil, body); err != nil {
				continue // it was torn, or it will be told when it is read
			}
		} else if err := s.skip(); err != nil {
			return g, nil, err
		}
		batch = append(batch, s.header)
		if s.more {
			continue
		}
		for i := range batch {
			g.note(&batch[i], s.at)
			if number > since.Segment || number == since.Segment && s.start >= since.Offset {
				touched = touched.merge(batch[i].covers, batch[i].arrived)
			}
		}
		batch = batch[:0]
	}
}
