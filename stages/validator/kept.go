package validator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// kept is what outlives the process.
type kept struct {
	store      *store
	judgements *judgements
}

// state is what is kept beside the readings: what was found of them. It is true of
// what was stored up to Position.
type state struct {
	Format int `json:"format"`
	// Comparison tells comparisons apart: what was found by other rules, or of
	// another expectation, says nothing.
	Comparison string      `json:"comparison"`
	Since      time.Time   `json:"since"`
	Position   position    `json:"position"`
	Segments   []segment   `json:"segments"`
	Judged     []judgement `json:"judged"`
	Closed     coverage    `json:"closed,omitempty"`
}

const (
	stateName   = "state.json"
	stateFormat = 1
)

// comparison describes what is compared, and how.
func (s *Sink) comparison() (string, error) {
	b, err := json.Marshal([]any{s.config.Options, s.config.Expect.Name, s.expect.String(), s.expect.Traits().Identity})
	return string(b), err
}

// open opens the directory, unless it is open. The caller holds writing.
func (s *Sink) open() (*kept, error) {
	if k := s.kept.Load(); k != nil {
		return k, nil
	}
	comparison, err := s.comparison()
	if err != nil {
		return nil, err
	}
	st, err := readState(filepath.Join(s.config.Path, stateName))
	if err != nil {
		return nil, err
	}
	store, touched, cut, err := openStore(s.config.Path, s.config.MaxBytes, st.Segments, st.Position)
	if err != nil {
		return nil, err
	}
	if cut > 0 {
		s.log.Info("cut off what was left of a batch that had not been acknowledged", "path", s.config.Path, "bytes", cut)
	}
	j := &judgements{window: int64(s.config.Window), since: st.Since.UnixNano(), judged: st.Judged, closed: st.Closed}
	if st.Format == 0 {
		j.since = s.now().UnixNano()
	}
	if st.Comparison != comparison {
		j.judged = nil
	}
	j.touch(touched)
	k := &kept{store, j}
	if err := s.save(k); err != nil {
		return nil, errors.Join(err, store.close())
	}
	s.kept.Store(k)
	return k, nil
}

// readState returns what is kept in a file; without one it has the format 0.
func readState(name string) (st state, err error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("what was found so far cannot be read: remove %s to begin anew; readings stay: %w", name, err)
	}
	if st.Format != stateFormat {
		return st, fmt.Errorf("%s is of another version of feed (format %d, this one knows %d): remove it to begin anew", name, st.Format, stateFormat)
	}
	return st, nil
}

// save keeps what was found so far. The caller holds writing.
func (s *Sink) save(k *kept) error {
	comparison, err := s.comparison()
	if err != nil {
		return err
	}
	st := state{Format: stateFormat, Comparison: comparison}
	st.Segments, st.Position = k.store.snapshot()
	k.judgements.mu.Lock()
	st.Since, st.Judged, st.Closed = time.Unix(0, k.judgements.since).UTC(), k.judgements.judged, k.judgements.closed
	b, err := json.Marshal(&st)
	k.judgements.mu.Unlock()
	if err != nil {
		return err
	}
	return wholefile.Write(filepath.Join(s.config.Path, stateName), 0o600, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
