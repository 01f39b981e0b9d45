package plugintest_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
	"github.com/kraft-edge/datafeed/plugins/plugintest"
)

type recordConfig struct {
	Path string `yaml:"path" doc:"The file."`
}

func (*recordConfig) Validate() error { return nil }

// record is a side that reads a file, each reading of which is a line.
type record struct {
	*validatetest.Memory
	path string

	mu   sync.Mutex
	read int // lines
}

func newRecord(c recordConfig, _ feed.StageEnv) (*record, error) {
	return &record{path: c.Path, Memory: &validatetest.Memory{Name: "a file", Has: validate.Traits{Identity: c.Path, Ordered: true}}}, nil
}

// Read implements [validate.Side].
func (r *record) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	if err := r.load(); err != nil {
		return err
	}
	return r.Memory.Read(ctx, q, take)
}

// load reads the lines that are new.
func (r *record) load() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.ReadFile(r.path)
	if err != nil {
		return err
	}
	lines := strings.Fields(string(file))
	for _, line := range lines[r.read:] {
		var p pluginpb.Reading
		b, err := base64.StdEncoding.DecodeString(line)
		if err == nil {
			err = proto.Unmarshal(b, &p)
		}
		one, invalid := wire.ReadingFrom(&p)
		if err != nil || invalid != nil {
			return fmt.Errorf("line %d: %w, %w", r.read+1, err, invalid)
		}
		r.read++
		r.Put(validate.Record{Reading: one, Place: validate.Place{Object: r.path, Position: int64(r.read)}})
	}
	return nil
}

// Watermark implements [validate.Expectation].
func (*record) Watermark(ctx context.Context) (time.Time, error) { return validatetest.Noon, ctx.Err() }

func recordCase() plugintest.Case {
	return plugintest.Expectation{Name: "record", Place: func(t *testing.T) (string, validatetest.SideUnderTest) {
		path := filepath.Join(t.TempDir(), "record")
		put := func(t testing.TB, rs ...reading.Reading) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for i := range rs {
				b, err := proto.Marshal(wire.ReadingProto(&rs[i]))
				if err == nil {
					_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(b))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		put(t) // it is there, and empty
		return fmt.Sprintf(`{"path": %q}`, path), validatetest.SideUnderTest{
			Put: put, PutTwice: func(t testing.TB, r reading.Reading) { put(t, r, r) },
		}
	}}
}
