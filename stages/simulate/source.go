package simulate

import (
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/maker"
)

// ErrClosed is returned by a source or subscription that was closed.
var ErrClosed = maker.ErrClosed

// Source hands out the batches of a [Simulator], and what [Chaos] makes of them.
// It is safe for concurrent use.
type Source struct {
	*maker.Source
	making *making
}

var _ feed.EventCounter = (*Source)(nil)

// NewSource returns a source. It fails with what [Config.Validate] reports.
func NewSource(c Config, _ feed.StageEnv) (*Source, error) {
	s, err := NewSimulator(c)
	if err != nil {
		return nil, err
	}
	about := maker.Description{Format: Format, Origin: "simulator of " + strings.Join(c.Sites, ", "), Window: c.WindowSize}
	making := newMaking(s)
	return &Source{maker.NewSource(about, making), making}, nil
}

// EndWith has the source begin and end when e says so. Call it before the first Receive.
func (s *Source) EndWith(e *End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sources = append(e.sources, s)
	s.making.end, s.making.firstDue = e, e.Begin
}

// Report says what the source has done so far.
func (s *Source) Report() Report { return s.making.reported() }

// Events returns what [Source.Report] does, by name. Implements
// [feed.EventCounter].
func (s *Source) Events() map[string]uint64 { return s.Report().events() }
