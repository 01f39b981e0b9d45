package main

import (
	"cmp"
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

// location is the flags that say where a quarantine is, and whose messages are
// meant.
type location struct{ db, file, feed string }

// register registers the flags of a command that deals with the messages of one
// feed.
func (l *location) register(cmd *cobra.Command) {
	l.registerPlace(cmd)
	registerFeed(cmd, &l.feed)
}

func registerFeed(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "feed", "", "feed whose messages are meant (default: the name in the configuration; with --db all, and to change something the only one that has any)")
}

func (l *location) registerPlace(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.db, "db", "", "file of the quarantine, or postgres:// URL of its database (table quarantine); it may hold ${NAME}")
	cmd.Flags().StringVar(&l.file, "config", "", "configuration that names the quarantine")
	cmd.MarkFlagsMutuallyExclusive("db", "config")
}

// place returns where the quarantine is. It names no feed when the flags do not.
func (l *location) place() (quarantine.Place, error) {
	switch {
	case l.file != "":
		return placeIn(l.file, l.feed)
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
		return quarantine.Place{Postgres: quarantine.Postgres{URL: u, Table: quarantine.DefaultTable}, Feed: l.feed}, nil
	}
	return quarantine.Place{Path: text, Feed: l.feed}, nil
}

// placeIn returns the place that a configuration names, of another feed if one
// is given.
func placeIn(file, feedName string) (quarantine.Place, error) {
	cfg, err := config.LoadSettings(file)
	if err != nil {
		return quarantine.Place{}, err
	}
	if cfg.Quarantine.Off() {
		return quarantine.Place{}, fmt.Errorf("%s has no quarantine: write quarantine: {path: …}", file)
	}
	p := placeOf(cfg)
	p.Feed = cmp.Or(feedName, p.Feed)
	return p, nil
}

func placeOf(cfg *config.Config) quarantine.Place {
	if cfg.Quarantine.Path != "" {
		return quarantine.Place{Path: cfg.Quarantine.Path, Feed: cfg.Name}
	}
	return quarantine.Place{Postgres: quarantine.Postgres(cfg.Quarantine.Postgres), Feed: cfg.Name}
}

// reader opens the quarantine for reading: the messages of one feed, or of all
// when the flags name none, or all are wanted.
func (l *location) reader(ctx context.Context, all bool) (*quarantine.Reader, error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	if all {
		p.Feed = ""
	}
	r, err := quarantine.OpenReadOnly(ctx, p)
	return r, opening(p, err)
}

// editor opens the quarantine to change what it holds of one feed.
func (l *location) editor(ctx context.Context) (*quarantine.Editor, error) {
	p, err := l.place()
	if err != nil {
		return nil, err
	}
	if p.Feed == "" {
		if p.Feed, err = onlyFeed(ctx, p); err != nil {
			return nil, err
		}
	}
	return openEditor(ctx, p)
}

// onlyFeed returns the feed that has messages in a quarantine, when it is the
// only one.
func onlyFeed(ctx context.Context, p quarantine.Place) (name string, err error) {
	r, err := quarantine.OpenReadOnly(ctx, p)
	if err != nil {
		return "", opening(p, err)
	}
	defer func() { err = errors.Join(err, failed(r.Close())) }()
	feeds, err := r.Feeds(ctx)
	if err != nil {
		return "", failed(err)
	}
	var names []string
	for _, f := range feeds {
		if f.Messages > 0 || name == "" { // one that has none counts only when no other does
			name = f.Feed
		}
		if f.Messages > 0 {
			names = append(names, oneLine(f.Feed, 100))
		}
	}
	if len(names) > 1 {
		return "", fmt.Errorf("the quarantine holds messages of several feeds: choose one with --feed: %s", strings.Join(names, ", "))
	}
	return name, nil
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
