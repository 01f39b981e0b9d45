package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// DocumentConfig is a configuration that takes its settings as a JSON object, as
// a stage in another process does. References are expanded in it. It may say
// what it takes with Keys() []Key and Schema() []byte, a JSON Schema.
type DocumentConfig interface {
	feed.StageConfig
	SetDocument(object []byte)
}

// DecodeStage decodes the settings of a stage from a JSON object, as SetDocument
// gets it: as strictly as those of a file, but $ and literal secrets are taken as
// they are. All that is wrong is returned as [feed.ConfigError]s, joined by
// errors.Join.
func DecodeStage(f feed.Factory, object []byte) (feed.StageConfig, error) {
	registry, err := feed.NewRegistry(f)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: f.Name, registry: registry, expanded: true}
	n, bad := parseDocument(d.file, object)
	if bad != nil {
		return nil, &feed.ConfigError{Problem: "is no JSON object: " + bad.Reason}
	}
	c := f.NewConfig()
	d.value(n, reflect.ValueOf(c).Elem(), "", 0)
	d.redact(d.problems)
	var errs []error
	for _, p := range d.problems {
		errs = append(errs, &feed.ConfigError{Key: p.Key, Problem: p.Reason, Remedy: p.Remedy})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// StageSchema returns a JSON Schema (draft 2020-12) of what one stage takes.
func StageSchema(f feed.Factory) ([]byte, error) {
	registry, err := feed.NewRegistry(f)
	if err != nil {
		return nil, err
	}
	s := schemer{registry: registry, defs: map[string]any{}}
	root := s.settings(f)
	root["$schema"] = schemaDraft
	root["$defs"] = s.defs
	out, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("encode schema of %s %s: %w", f.Kind, f.Name, err)
	}
	return out, nil
}

// foreignSchema returns the schema that a configuration brings along, as one that
// can stand within another.
func foreignSchema(f feed.Factory, c feed.StageConfig) (map[string]any, bool) {
	if _, ok := c.(DocumentConfig); !ok {
		return nil, false
	}
	anything := map[string]any{"type": []string{"object", "null"}}
	own, ok := c.(interface{ Schema() []byte })
	if !ok {
		return anything, true
	}
	var schema map[string]any
	if json.Unmarshal(own.Schema(), &schema) != nil || schema == nil {
		return anything, true // the process checks what it gets, whatever its schema says
	}
	schema["$id"] = "stage:" + strings.ToLower(string(f.Kind)+":"+f.Name) // so that its references are its own
	return schema, true
}
