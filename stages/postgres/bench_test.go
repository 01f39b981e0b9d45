package postgres

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// BenchmarkStore stores readings with the sink, from JSON, and their columns with
// pgx's CopyFrom, which stores a reading that comes again a second time or not at
// all. Beside the time it reports rows a second, and the CPU time per row of this
// process and of the server's.
func BenchmarkStore(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("batch=%d/sink", size), func(b *testing.B) {
			c := configOf(testenv.PostgreSQL(b).URL())
			s := openSink(b, c)
			mustPublish(b, s, at(noon, 0))
			m := measure(b, size, s.writer.session.conn.PgConn().PID())
			for b.Loop() {
				b.StopTimer()
				batch := feed.NewBatch(messagesOf(m.next())...)
				m.start()
				b.StartTimer()
				if err := s.PublishBatch(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				m.stop()
			}
			m.report()
		})
		b.Run(fmt.Sprintf("batch=%d/copy", size), func(b *testing.B) {
			c := configOf(testenv.PostgreSQL(b).URL())
			mustPublish(b, openSink(b, c), at(noon, 0)) // makes the tables
			session, err := connect(b.Context(), &c, readWrite)
			if err != nil {
				b.Fatal(err)
			}
			defer session.close()
			m := measure(b, size, session.conn.PgConn().PID())
			for b.Loop() {
				b.StopTimer()
				rs := m.next()
				m.start()
				b.StartTimer()
				_, err := session.conn.CopyFrom(b.Context(), pgx.Identifier{"points"},
					[]string{"ts", "seq", "float", "series", "place", "ns", "quality"},
					pgx.CopyFromSlice(len(rs), func(i int) ([]any, error) {
						r := &rs[i]
						return []any{r.At(), seqToSQL(r.Seq), r.Value.Float(), int32(r.Seq % 50), int32(1), int16(0), r.Quality}, nil
					}))
				if err != nil {
					b.Fatal(err)
				}
				m.stop()
			}
			m.report()
		})
	}
}

// measurement adds up what batches cost.
type measurement struct {
	b          *testing.B
	size, rows int
	pid        uint32
	begun      [2]time.Duration // CPU time of client and server
	spent      [2]time.Duration
}

func measure(b *testing.B, size int, pid uint32) *measurement {
	return &measurement{b: b, size: size, pid: pid}
}

// next returns the readings of the next batch.
func (m *measurement) next() []reading.Reading {
	m.rows += m.size
	rs := series50(m.rows, m.size)
	for i := range rs {
		rs[i].Time = noon.UnixNano() + int64(m.rows+i)*1000 // many fit into a day
	}
	return rs
}

func (m *measurement) start() { m.begun = m.cpu() }

func (m *measurement) stop() {
	for i, now := range m.cpu() {
		m.spent[i] += now - m.begun[i]
	}
}

func (m *measurement) report() {
	rows := float64(m.rows)
	m.b.ReportMetric(rows/m.b.Elapsed().Seconds(), "rows/s")
	m.b.ReportMetric(float64(m.spent[0].Nanoseconds())/rows, "client-cpu-ns/row")
	m.b.ReportMetric(float64(m.spent[1].Nanoseconds())/rows, "server-cpu-ns/row")
}

// cpu returns the CPU time of this process, and of the server's.
func (m *measurement) cpu() (used [2]time.Duration) {
	m.b.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		m.b.Fatal(err)
	}
	used[0] = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	// In nanoseconds, unlike /proc/PID/stat.
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", m.pid))
	if err != nil {
		m.b.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(bytes.TrimSpace(raw)))[0], 10, 64)
	if err != nil {
		m.b.Fatal(err)
	}
	used[1] = time.Duration(ns)
	return used
}
