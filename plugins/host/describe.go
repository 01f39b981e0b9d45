package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

const mostStages = 256

// description is what a plugin says of itself.
type description struct {
	title, version string
	stages         []stage
}

// Stage is a stage that a plugin has.
type Stage struct {
	Kind    feed.Kind `json:"kind"`
	Name    string    `json:"name"`
	Summary string    `json:"summary"`
}

type stage struct {
	Stage
	keys   []config.Key
	schema []byte
}

// describe asks the plugin what it has, each process that comes until one answers,
// the plugin is refused or ctx ends. It tells when the plugin has failed so often
// that it is left alone for a while.
func (s *supervisor) describe(ctx context.Context, leftAlone func()) (description, error) {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		stages, gen, err := s.Client(ctx)
		if refused := (*refusedError)(nil); errors.As(err, &refused) || ctx.Err() != nil {
			return description{}, err
		}
		if err != nil {
			leftAlone()
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		call, cancel := context.WithTimeout(ctx, s.program.limits.timeout)
		answer, err := stages.Describe(call, &pluginpb.DescribeRequest{})
		cancel()
		if err == nil {
			return checkDescription(answer)
		}
		if ctx.Err() == nil {
			s.Failed(gen, fmt.Sprintf("it does not say what it has: %v", err))
		}
	}
}

// checkDescription refuses a plugin that could not be used or be shown.
func checkDescription(d *pluginpb.DescribeResponse) (description, error) {
	if n := len(d.Stages); n == 0 || n > mostStages {
		return description{}, refusef("it has %d stages, one to %d are of use", n, mostStages)
	}
	made := description{title: shown(d.Name), version: shown(d.Version)}
	seen := map[Stage]bool{}
	for _, s := range d.Stages {
		kind := wire.FromKind(s.Kind)
		if kind == "" {
			return description{}, refusef("its stage %.64q is of kind %v, which this feed does not know", s.Name, s.Kind)
		}
		if !wire.IsStageName(s.Name) {
			return description{}, refusef("the name %.80q of its %s cannot stand in a file: letters, digits, - and _ can, at most %d", s.Name, kind, wire.LongestName)
		}
		id := Stage{Kind: kind, Name: s.Name}
		if seen[id] {
			return description{}, refusef("it has two %ss named %q", kind, s.Name)
		}
		seen[id] = true
		if len(s.Schema) > 0 && !json.Valid(s.Schema) {
			return description{}, refusef("the schema of its %s %q is no JSON", kind, s.Name)
		}
		made.stages = append(made.stages, stage{Stage{kind, s.Name, shown(s.Summary)}, keysOf(s.Keys), s.Schema})
	}
	return made, nil
}

func keysOf(keys []*pluginpb.Key) []config.Key {
	var all []config.Key
	for _, k := range keys {
		all = append(all, config.Key{Name: shown(k.Path), Type: shown(k.Type), Default: shown(k.Default), Required: k.Required, Doc: shown(k.Doc), Values: k.Values})
	}
	return all
}

// shown is a text of a plugin in a form that a terminal can show: of what controls
// one nothing is left.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	const most = 1000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// problems are the mistakes that a plugin has found in settings.
func problems(found []*pluginpb.Problem) error {
	var errs []error
	for _, p := range found {
		errs = append(errs, &feed.ConfigError{Key: shown(p.Key), At: int(p.At), Problem: shown(p.Problem), Remedy: shown(p.Remedy)})
	}
	return errors.Join(errs...)
}
