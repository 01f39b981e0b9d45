package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Validation says what is compared with what: what there should be, with one of
// the places where it should have arrived.
type Validation struct {
	Expect  Stage        `yaml:"expect" stage:"expectation" doc:"What there should be, from a source independent of the feed: one stage with its settings."`
	Observe Observations `yaml:"observe" stage:"observation" doc:"Where it should have arrived: stages with their settings. The first is compared unless the command names another one."`

	validate.Options `yaml:",inline"`

	Repair Repair `yaml:"repair" doc:"Where feed validate --repair looks for what is missing, and how it sends that."`

	State string `yaml:"state" doc:"File that keeps what was found so far: a validation that was stopped goes on where it ended."`
}

// Observations are places where readings should have arrived, in the order of
// the file.
type Observations []Stage

func defaultValidation() Validation { return Validation{Options: validate.DefaultOptions()} }

// Off reports whether there is nothing to compare.
func (v *Validation) Off() bool { return v.Expect.Name == "" }

// Names lists the observations, the default first.
func (o Observations) Names() []string {
	names := make([]string, len(o))
	for i, s := range o {
		names[i] = s.Name
	}
	return names
}

// LoadValidation reads of the file at path what is compared: no address or secret
// of a route needs to be there.
func LoadValidation(path string, registry *feed.Registry) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: path, registry: registry, lookupEnv: os.LookupEnv, part: partValidation}
	return d.parse(data)
}

// Validation makes the two sides of a file that has them, and returns the job without its range. against
// names the observation; "" is the first. Constructors do no network I/O. The
// caller owns the sides, and closes them.
func (c *Config) Validation(against string, logger *slog.Logger) (validate.Job, error) {
	v := &c.Validate
	i := 0
	if against != "" {
		if i = slices.Index(v.Observe.Names(), against); i < 0 {
			return validate.Job{}, fmt.Errorf("%s observes no %s: %s", c.file, quote(against), DidYouMean(against, v.Observe.Names()))
		}
	}
	b := &builder{config: c, logger: logger}
	job, err := b.validation(&v.Observe[i])
	if err != nil {
		return validate.Job{}, errors.Join(append([]error{err}, b.close()...)...)
	}
	job.Options, job.State = v.Options, v.State
	return job, nil
}

// validation makes the expectation and an observation.
func (b *builder) validation(observe *Stage) (validate.Job, error) {
	expect := &b.config.Validate.Expect
	job := validate.Job{ExpectName: expect.Name, ObserveName: observe.Name, Logger: b.logger}
	var err error
	if job.Expect, err = validate.NewExpectation(expect.factory, expect.Config, b.sideEnv(expect)); err != nil {
		return job, b.failed(*expect, err)
	}
	b.made = append(b.made, job.Expect)
	if job.Observe, err = validate.NewObservation(observe.factory, observe.Config, b.sideEnv(observe)); err != nil {
		return job, b.failed(*observe, err)
	}
	b.made = append(b.made, job.Observe)
	return job, nil
}

func (b *builder) sideEnv(s *Stage) feed.StageEnv {
	return feed.StageEnv{Feed: b.config.Name, Logger: b.logger.With("stage", s.Name)}
}

// observations decodes a mapping of observations' names to their settings.
func (d *decoder) observations(e entry, out *Observations, key string, depth int) {
	es, ok := d.choices(e, feed.KindObservation, key, depth)
	if !ok {
		return
	}
	for _, e := range es {
		if d.tooMuch {
			return
		}
		var s Stage
		d.settings(e, &s, feed.KindObservation, joinKey(key, e.name), depth+1)
		*out = append(*out, s)
	}
}

// checkValidation checks that there are two sides, and the options.
func (d *decoder) checkValidation(v *Validation, root *yaml.Node, bad func(key, reason, remedy string)) {
	e, said := find(root, "validate")
	switch {
	case !said && d.part == partValidation:
		d.problem(root, "validate", "missing", "write validate: {expect: {…}, observe: {…}}")
		return
	case !said:
		return
	}
	if section := resolve(e.value); section.Kind == yaml.MappingNode || isNull(section) {
		for _, side := range []struct{ key, what string }{{"expect", "expectation"}, {"observe", "observation"}} {
			if _, ok := find(section, side.key); !ok {
				d.problem(e.key, "validate", "has no "+side.key, "write "+side.key+": and an "+side.what+"; feed stages lists all")
			}
		}
	}
	decoding := d.problems
	for _, err := range flatten(v.Options.Validate()) {
		var ce *feed.ConfigError
		if !errors.As(err, &ce) {
			bad("validate", err.Error(), "")
			continue
		}
		key := "validate." + ce.Key
		if !slices.ContainsFunc(decoding, func(p Problem) bool { return p.Key == key }) {
			bad(key, ce.Problem, ce.Remedy)
		}
	}
}
