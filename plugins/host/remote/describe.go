package remote

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Description is what a plugin says of itself.
type Description struct {
	Name, Version string // for people
	Stages        []Stage
}

// Stage is a stage that a plugin has.
type Stage struct {
	Kind    feed.Kind
	Name    string
	Summary string
	Keys    []config.Key
	Schema  []byte // a JSON Schema of its configuration; empty when there is none
}

// Use is what a route must know of a stage with a configuration.
type Use struct {
	Window        int  // of a source: how many unsettled deliveries it hands out at most; 0 when it does not say
	FanOut        bool // of a transform
	NotDurable    bool // of a sink
	AckTimeout    time.Duration
	Reads, Writes []string
}

// What a plugin may say of itself.
const (
	maxStages = 1000
	maxText   = 16 << 10
	maxKeys   = 10_000
)

var kinds = map[pluginpb.Kind]feed.Kind{
	pluginpb.Kind_KIND_SOURCE:      feed.KindSource,
	pluginpb.Kind_KIND_TRANSFORM:   feed.KindTransform,
	pluginpb.Kind_KIND_SINK:        feed.KindSink,
	pluginpb.Kind_KIND_EXPECTATION: feed.KindExpectation,
	pluginpb.Kind_KIND_CODEC:       kindCodec,
}

const kindCodec feed.Kind = "codec"

// Describe asks the plugin which stages it has. The error says what is wrong with its
// answer, or that it gave none.
func (p *Plugin) Describe(ctx context.Context) (*Description, error) {
	client, gen, err := p.conn.Client(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.limits.Timeout)
	defer cancel()
	r, err := client.Describe(ctx, &pluginpb.DescribeRequest{}, wire.CallOptions(p.limits.MessageBytes)...)
	if err != nil {
		return nil, p.unary(gen, "describe itself", err)
	}
	d, err := described(r)
	if err != nil {
		return nil, fmt.Errorf("plugin %s describes itself wrongly: %w", p.name, err)
	}
	return d, nil
}

// unary is what the error of a call means that is no stream.
func (p *Plugin) unary(gen uint64, what string, err error) error {
	how := status.Convert(err).Message()
	if status.Code(err) == codes.Canceled {
		return fmt.Errorf("ask plugin %s to %s: %w", p.name, what, context.Canceled)
	}
	p.conn.Failed(gen, fmt.Sprintf("it was asked to %s: %s", what, how))
	return fmt.Errorf("ask plugin %s to %s: %s", p.name, what, how)
}

func described(r *pluginpb.DescribeResponse) (*Description, error) {
	if len(r.Stages) == 0 {
		return nil, errors.New("it has no stages")
	}
	if len(r.Stages) > maxStages {
		return nil, fmt.Errorf("it has %d stages, more than %d", len(r.Stages), maxStages)
	}
	d := &Description{Name: brief(r.Name), Version: brief(r.Version)}
	known := map[string]bool{}
	for _, s := range r.Stages {
		kind, ok := kinds[s.Kind]
		switch {
		case !ok:
			return nil, fmt.Errorf("stage %.70q has the kind %v, which this feed does not know", s.Name, s.Kind)
		case !stageName(s.Name):
			return nil, fmt.Errorf("%s %.70q: not a name of a stage; use letters, digits, - and _, at most 64", kind, s.Name)
		case known[string(kind)+" "+s.Name]:
			return nil, fmt.Errorf("it has two %ss of the name %s", kind, s.Name)
		case len(s.Keys) > maxKeys:
			return nil, fmt.Errorf("%s %s has %d keys, more than %d", kind, s.Name, len(s.Keys), maxKeys)
		}
		known[string(kind)+" "+s.Name] = true
		stage := Stage{Kind: kind, Name: s.Name, Summary: brief(s.Summary), Schema: s.Schema}
		for _, k := range s.Keys {
			stage.Keys = append(stage.Keys, config.Key{
				Name: brief(k.Path), Type: brief(k.Type), Default: brief(k.Default), Required: k.Required, Doc: brief(k.Doc), Values: k.Values,
			})
		}
		d.Stages = append(d.Stages, stage)
	}
	return d, nil
}

// brief makes one short line of a text of a plugin: it is shown in a terminal.
func brief(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// stageName reports whether a name can be a key in feed.yaml and a label.
func stageName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Validate asks the plugin whether a configuration, a JSON object, is good. What is
// wrong with it comes as one *[feed.ConfigError] or several joined by errors.Join;
// any other error says that it could not be asked.
func (p *Plugin) Validate(ctx context.Context, kind feed.Kind, stage string, configuration []byte) (Use, error) {
	client, gen, err := p.conn.Client(ctx)
	if err != nil {
		return Use{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.limits.Timeout)
	defer cancel()
	request := &pluginpb.ValidateRequest{Stage: stage, Configuration: configuration}
	for number, k := range kinds {
		if k == kind {
			request.Kind = number
		}
	}
	r, err := client.Validate(ctx, request, wire.CallOptions(p.limits.MessageBytes)...)
	if err != nil {
		return Use{}, p.unary(gen, fmt.Sprintf("validate the configuration of %s %s", kind, stage), err)
	}
	var problems []error
	for _, one := range r.Problems {
		ce := &feed.ConfigError{Key: brief(one.Key), Problem: brief(one.Problem), Remedy: brief(one.Remedy)}
		if ce.Problem == "" {
			ce.Problem = "the plugin refuses it, and does not say why"
		}
		if one.At < math.MaxInt32 {
			ce.At = int(one.At)
		}
		problems = append(problems, ce)
	}
	if len(problems) > 0 {
		return Use{}, errors.Join(problems...)
	}
	u := r.GetUse()
	return Use{
		Window: int(min(u.GetWindow(), math.MaxInt32)), FanOut: u.GetFanOut(), NotDurable: u.GetNotDurable(),
		AckTimeout: time.Duration(max(u.GetAckTimeoutNanos(), 0)), Reads: u.GetReads(), Writes: u.GetWrites(),
	}, nil
}
