package feed

import "errors"

// Nested is a stage within the settings of another one. A configuration that has
// a field of it says with a tag which kind is meant:
//
//	Expect feed.Nested `yaml:"expect" stage:"expectation" doc:"…"`
//
// What a file says there is decoded, checked and documented like a stage of a
// route: a mapping of one key, the stage's name, to its settings. The settings of
// the nested stage are valid before Validate of those around it is called.
type Nested struct {
	Name    string // empty when the file names none
	Config  StageConfig
	Factory Factory
}

// IsZero reports whether no stage was named.
func (n Nested) IsZero() bool { return n.Name == "" }

// Failed says of an error of the nested stage's constructor where it stands:
// under key, which is that of the field. nil stays nil.
func (n Nested) Failed(key string, err error) error {
	if err == nil {
		return nil
	}
	at := key + "." + n.Name
	var ce *ConfigError
	if !errors.As(err, &ce) {
		return &ConfigError{Key: at, Problem: err.Error()}
	}
	inner := *ce
	if inner.Key != "" && inner.Key[0] != '[' {
		at += "."
	}
	inner.Key = at + inner.Key
	return &inner
}
