package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// location is the flags that say where a quarantine is.
type location struct{ db, file string }

func (l *location) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.db, "db", "", "file of the quarantine, or postgres:// URL of its database (table quarantine); it may hold ${NAME}")
	cmd.Flags().StringVar(&l.file, "config", "", "configuration that names the quarantine")
	cmd.MarkFlagsMutuallyExclusive("db", "config")
}

// place returns where the quarantine is.
func (l *location) place() (quarantine.Place, error) {
	switch {
	case l.file != "":
		return placeIn(l.file)
	case l.db == "":
		return quarantine.Place{}, errors.New("say where the quarantine is: --db PATH or --config FILE")
	}
	u, err := feed.ParseURL(l.db, os.LookupEnv)
	if err != nil {
		return quarantine.Place{}, fmt.Errorf("--db: %w", err)
	}
	text, err := u.Reveal()
	if err != nil {
		return quarantine.Place{}, fmt.Errorf("--db: %w", err)
	}
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return quarantine.Place{Postgres: quarantine.Postgres{URL: u, Table: quarantine.DefaultTable}}, nil
	}
	return quarantine.Place{Path: text}, nil
}

// placeIn returns the place that a configuration names.
func placeIn(file string) (quarantine.Place, error) {
	cfg, err := config.LoadSettings(file)
	if err != nil {
		return quarantine.Place{}, err
	}
	if cfg.Quarantine.Off() {
		return quarantine.Place{}, fmt.Errorf("%s has no quarantine: write quarantine: {path: …}", file)
	}
	return placeOf(cfg.Quarantine), nil
}

func placeOf(q config.Quarantine) quarantine.Place {
	if q.Path != "" {
		return quarantine.Place{Path: q.Path}
	}
	return quarantine.Place{Postgres: quarantine.Postgres(q.Postgres)}
}

// reader opens the quarantine for reading.
func (l *location) reader(ctx context.Context) (*quarantine.Reader, error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	r, err := quarantine.OpenReadOnly(ctx, p)
	return r, opening(p, err)
}

// editor opens the quarantine to change what it holds.
func (l *location) editor(ctx context.Context) (*quarantine.Editor, error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	return openEditor(ctx, p)
}

func openEditor(ctx context.Context, p quarantine.Place) (*quarantine.Editor, error) {
	e, err := quarantine.OpenEditor(ctx, p)
	return e, opening(p, err)
}

// opening explains why a quarantine could not be opened.
func opening(p quarantine.Place, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no quarantine file %s yet: nothing was quarantined, or the feed has never run here", p.Path)
	}
	return failed(err)
}
