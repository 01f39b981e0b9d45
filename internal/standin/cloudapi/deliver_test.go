package cloudapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// TestRepeatedDelivery: the same again is counted, and stored once.
func TestRepeatedDelivery(t *testing.T) {
	a := start(t, Options{})
	rs := seconds("d", 0, 10)
	a.frame(t, 1, rs...).took(t, 10, 0)
	a.frame(t, 1, rs...).took(t, 0, 10)
	a.lines(t, "", rs[:3]...).took(t, 0, 3)
	a.lines(t, "", rs[4], rs[4], second("d", 10, 10)).took(t, 1, 2)
	a.frame(t, 2, seconds("d", 8, 12)...).took(t, 1, 3)
	if got, want := a.all(t, url.Values{}), seconds("d", 0, 12); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := a.Stats().Readings; got != 12 {
		t.Errorf("%d readings are held", got)
	}
}

// TestConflict: what is there with another content is refused with all that comes
// with it, for good.
func TestConflict(t *testing.T) {
	a := start(t, Options{})
	a.frame(t, 1, seconds("d", 0, 10)...).took(t, 10, 0)
	mended := second("d", 9, 9)
	mended.Quality = "bad"
	for range 2 {
		a.frame(t, 1, seconds("d", 10, 12)...).refused(t, http.StatusUnprocessableEntity, `batch 1 of device "d"`)
		a.lines(t, "", second("d", 20, 1), mended).refused(t, http.StatusUnprocessableEntity, "reading 2 is there")
		a.lines(t, "?device=d&sequence=2", second("d", 20, 1), second("d", 20, 2)).refused(t, http.StatusUnprocessableEntity, "reading 2 is there")
	}
	if got, want := a.all(t, url.Values{}), seconds("d", 0, 10); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDeliveriesRefused(t *testing.T) {
	a := start(t, Options{})
	line := string(new(second("d", 0, 0)).AppendJSON(nil))
	long := second("d", 0, 0)
	long.Value = reading.OfText(strings.Repeat("x", reading.MaxText))
	frame := string(frameOf(t, 1, second("d", 0, 0)))
	zipped := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		return b.String()
	}
	for _, tt := range []struct {
		what, query, contentType, encoding, body string
		status                                   int
		detail                                   string
	}{
		{"no type", "", "", "", line, 415, "Content-Type"},
		{"JSON", "", "application/json", "", line, 415, "Content-Type"},
		{"an encoding", "", contentLines, "br", line, 415, "Content-Encoding"},
		{"no gzip", "", contentLines, "gzip", line, 400, "gzip"},
		{"cut gzip", "", contentLines, "gzip", zipped(line)[:40], 400, "unexpected EOF"},
		{"a bomb", "", contentLines, "gzip", zipped(strings.Repeat(" ", maxBody+1)), 413, "16777216 bytes"},
		{"much", "", contentLines, "", strings.Repeat(" ", maxBody+1), 413, "16777216 bytes"},
		{"many", "", contentLines, "gzip", zipped(strings.Repeat(line+"\n", maxReadings+1)), 413, "100000 readings"},
		{"nothing", "", contentLines, "", "\n\n", 400, "no readings"},
		{"no reading", "", contentLines, "", line + "\n{}\n", 400, "line 2: parse reading: device is missing"},
		{"sequence alone", "?sequence=1", contentLines, "", line, 400, "belong together"},
		{"device alone", "?device=d", contentLines, "", line, 400, "belong together"},
		{"sequence 0", "?device=d&sequence=0", contentLines, "", line, 400, "counted from 1"},
		{"sequence -1", "?device=d&sequence=-1", contentLines, "", line, 400, "no number of a batch"},
		{"another device", "?device=e&sequence=1", contentLines, "", line, 400, `line 1: the reading is of device "d", the batch of "e"`},
		{"unknown parameter", "?seq=1", contentLines, "", line, 400, `"seq" is unknown`},
		{"numbered frame", "?device=d&sequence=1", batch.ContentType, "", frame, 400, "stand in the frame"},
		{"frame 0", "", batch.ContentType, "", string(frameOf(t, 0, second("d", 0, 0))), 400, "counted from 1"},
		{"no frame", "", batch.ContentType, "", line, 400, "batch: format"},
		{"cut frame", "", batch.ContentType, "", frame[:len(frame)-1], 400, "batch: truncated"},
		{"damaged frame", "", batch.ContentType, "", frame[:len(frame)-1] + "x", 400, "batch: checksum"},
		{"a bomb in a frame", "", batch.ContentType, "", string(frameOf(t, 1, long, long)), 413, "batch: limits"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := a.request(t, "POST", "/v1/batches"+tt.query, tt.contentType, []byte(tt.body))
			r.Header.Set("Authorization", "Bearer "+a.token(t, ScopeWrite))
			if tt.encoding != "" {
				r.Header.Set("Content-Encoding", tt.encoding)
			}
			a.send(t, r).refused(t, tt.status, tt.detail)
		})
	}
	if got := a.all(t, url.Values{}); len(got) != 0 {
		t.Errorf("stored all the same: %+v", got)
	}
	r := a.request(t, "POST", "/v1/batches", contentLines, []byte(zipped(line)))
	r.Header.Set("Authorization", "Bearer "+a.token(t, ScopeWrite))
	r.Header.Set("Content-Encoding", "gzip")
	a.send(t, r).took(t, 1, 0)
}

// TestBodyIsReadToItsLimit and not on, however long it is.
func TestBodyIsReadToItsLimit(t *testing.T) {
	rest := bytes.NewReader(make([]byte, 1<<20))
	var p *problem
	if _, err := readBody(rest, "", 100); !errors.As(err, &p) || p.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("error %v", err)
	}
	if read := 1<<20 - rest.Len(); read != 101 {
		t.Errorf("%d bytes were read", read)
	}
}

// TestManyDevicesAtOnce: deliveries wait for each other, and none is lost.
func TestManyDevicesAtOnce(t *testing.T) {
	a := start(t, Options{})
	a.token(t, ScopeWrite)
	var want []reading.Reading
	var devices sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		want = append(want, seconds(name, 0, 50)...)
		devices.Go(func() {
			for i := range 10 {
				if got := a.frame(fatalInGoroutine{t}, uint64(i+1), seconds(name, 5*i, 5*i+5)...); got.status != http.StatusOK {
					t.Errorf("answer %d %s", got.status, got.body)
				}
			}
		})
	}
	devices.Wait()
	if got := a.all(t, url.Values{}); !slices.Equal(got, inOrder(want)) {
		t.Errorf("%d readings, want %d", len(got), len(want))
	}
	if got := a.watermark(t); got != "1970-01-01T00:00:49Z" {
		t.Errorf("watermark %q", got)
	}
}

// fatalInGoroutine ends the goroutine that has failed.
type fatalInGoroutine struct{ *testing.T }

func (f fatalInGoroutine) Fatal(args ...any) {
	f.Error(args...)
	panic("failed")
}
func (f fatalInGoroutine) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic("failed")
}
