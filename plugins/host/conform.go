package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Check is one thing that is expected of every plugin, and whether it does it.
type Check struct {
	Name string `json:"name"`
	// Problem says what is wrong; empty: nothing is.
	Problem string `json:"problem,omitempty"`
}

// Conform checks what can be checked of the host's only plugin without knowing what
// its stages do: that it describes them, refuses settings that it does not know, and
// is the same after it was killed. It blocks until all is checked, and closes the
// host, to see whether the plugin ends when it is asked to.
//
// What stages do with messages is tested by package plugintest.
func (h *Host) Conform(ctx context.Context) ([]Check, error) {
	if len(h.plugins) != 1 || h.plugins[0].leftOut() != nil {
		return nil, errors.New("one plugin, that runs, can be checked at a time")
	}
	p := h.plugins[0]
	var checks []Check
	check := func(name string, err error) {
		c := Check{Name: name}
		if err != nil {
			c.Problem = err.Error()
		}
		checks = append(checks, c)
	}
	check("says what it is", p.named())
	for _, s := range p.described.stages {
		check(fmt.Sprintf("documents %s %s", s.Kind, s.Name), s.documented())
		check(fmt.Sprintf("refuses a key that %s %s does not have", s.Kind, s.Name), p.refusesUnknown(ctx, s))
	}
	check("refuses a stage that it does not have", p.refusesStage(ctx))
	check("is the same after it was killed", p.sameAgain(ctx))
	err := h.Close()
	if p.supervisor.stubborn {
		err = errors.Join(err, errors.New("it went on for two seconds, and had to be killed: one in Go is asked by plugins.Serve, one in another language by SIGTERM"))
	}
	check("ends when it is asked to", err)
	return checks, nil
}

func (p *plugin) named() error {
	if p.described.title == "" || p.described.version == "" {
		return errors.New("its name or its version is empty: Describe returns them, for people")
	}
	return nil
}

// documented returns what people would miss.
func (s stage) documented() error {
	switch undocumented := slices.IndexFunc(s.keys, func(k config.Key) bool { return k.Doc == "" }); {
	case s.Summary == "":
		return errors.New("it has no summary: one line, for feed stages")
	case undocumented >= 0:
		return fmt.Errorf("its key %s has no documentation: a sentence, with the unit", s.keys[undocumented].Name)
	}
	return nil
}

// validate asks the plugin about settings.
func (p *plugin) validate(ctx context.Context, r *pluginpb.ValidateRequest) (*pluginpb.ValidateResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, p.supervisor.program.limits.timeout)
	defer cancel()
	stages, _, err := p.supervisor.Client(ctx)
	if err != nil {
		return nil, err
	}
	return stages.Validate(ctx, r)
}

func (p *plugin) refusesUnknown(ctx context.Context, s stage) error {
	answer, err := p.validate(ctx, &pluginpb.ValidateRequest{Kind: wire.ToKind(s.Kind), Stage: s.Name, Configuration: []byte(`{"` + wire.NoStageHas + `": 1}`)})
	if err != nil {
		return fmt.Errorf("Validate fails, in the place of an answer with a problem: %w", err)
	}
	if len(answer.Problems) == 0 {
		return fmt.Errorf("it takes %q: a key with a typing error would go unnoticed", wire.NoStageHas)
	}
	return nil
}

func (p *plugin) refusesStage(ctx context.Context) error {
	answer, err := p.validate(ctx, &pluginpb.ValidateRequest{Kind: pluginpb.Kind_KIND_TRANSFORM, Stage: wire.NoStageHas, Configuration: []byte("{}")})
	if err == nil && len(answer.GetProblems()) == 0 {
		return errors.New("it finds nothing wrong with the settings of a stage that it does not have")
	}
	return nil
}

// sameAgain kills the process and compares what the next one says.
func (p *plugin) sameAgain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*p.supervisor.program.limits.timeout)
	defer cancel()
	describe := func() (*pluginpb.DescribeResponse, uint64, error) {
		stages, gen, err := p.supervisor.Client(ctx)
		if err != nil {
			return nil, gen, err
		}
		d, err := stages.Describe(ctx, &pluginpb.DescribeRequest{})
		return d, gen, err
	}
	before, gen, err := describe()
	if err != nil {
		return err
	}
	p.supervisor.Failed(gen, "it is to show that it can be started again")
	after, _, err := describe()
	if err != nil {
		return err
	}
	if !proto.Equal(before, after) {
		return errors.New("it describes itself in another way than before")
	}
	return nil
}
