package bridge

import (
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// Unmatched says what happens to a message that no rule matches.
type Unmatched string

// What can happen to a message that no rule matches.
const (
	// UnmatchedQuarantine makes it a permanent error.
	UnmatchedQuarantine Unmatched = "quarantine"
	// UnmatchedFilter drops it with the reason [ReasonUnmatched].
	UnmatchedFilter Unmatched = "filter"
)

// Values returns all choices.
func (Unmatched) Values() []string {
	return []string{string(UnmatchedQuarantine), string(UnmatchedFilter)}
}

// Rule gives messages of one form of routing key, headers and payload their
// topic, or drops them.
type Rule struct {
	Match       string            `yaml:"match" doc:"Pattern of the routing key, such as telemetry.{site}.{line}.{device}.{tag}; * is a part without a name, {rest...} at the end all parts that remain."`
	Headers     map[string]string `yaml:"headers" doc:"Patterns of headers by name; the rule matches only when each is there and matches."`
	Fields      map[string]string `yaml:"fields" doc:"Patterns of values in the JSON payload by JSON Pointer, such as /device or /values/0/x; the rule matches only when each is there, is a text, a number, true or false, and matches."`
	Where       string            `yaml:"where" doc:"Expression in CEL, true or false; the rule matches only when it is true. It knows the captured names, key, headers, payload and time."`
	Let         map[string]string `yaml:"let" doc:"Expressions in CEL by name; topic and set can use their values like captured ones."`
	Topic       string            `yaml:"topic" doc:"Template of the topic, such as kraft/{site}/{line}/{device}/{tag}."`
	Set         map[string]string `yaml:"set" doc:"Templates of metadata to set, by name; a sink sends metadata as headers or user properties."`
	Payload     Payload           `yaml:"payload" doc:"Members of the JSON payload to keep, and to compute; without it the payload stays as it is."`
	CloudEvents *CloudEvents      `yaml:"cloudEvents" doc:"Makes the messages events as in CloudEvents 1.0."`
	Drop        string            `yaml:"drop" doc:"In place of topic: messages that the rule matches are dropped, counted under this reason."`
}

// Config is the configuration of a [Bridge].
type Config struct {
	Rules         []Rule           `yaml:"rules" doc:"The rules, tried in order; the first that matches wins."`
	Tables        map[string]Table `yaml:"tables" doc:"Tables by name; expressions look texts up in them: tables.name[key].column."`
	Unmatched     Unmatched        `yaml:"unmatched" doc:"What happens to a message that no rule matches: quarantine or filter."`
	Separator     string           `yaml:"separator" doc:"The one character between the parts of a routing key."`
	EscapeDots    bool             `yaml:"escapeDots" doc:"Escape dots in captured values too, for brokers such as RabbitMQ's MQTT plugin that exchange dots and slashes."`
	MaxTopicBytes int              `yaml:"maxTopicBytes" doc:"Longest topic in bytes; a message whose topic would be longer is quarantined."`
	CacheKeys     int              `yaml:"cacheKeys" doc:"Most routing keys, and where rules have fields most keys with values of fields, whose topic is remembered, about 250 bytes of memory each; 0 remembers none."`
}

// The limits of a configuration.
const (
	maxTopicBytes = 65535 // of MQTT
	maxCacheKeys  = 1 << 22
	maxNames      = 32 // captured names of one rule
)

// DefaultConfig returns the defaults. The rules have none.
func DefaultConfig() Config {
	return Config{
		Unmatched:     UnmatchedQuarantine,
		Separator:     ".",
		MaxTopicBytes: 1024,
		CacheKeys:     16384,
	}
}

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	_, err := compile(c)
	return err
}

// compiled is a configuration whose rules are ready to match.
type compiled struct {
	rules    []*rule
	pointers jsonscan.Pointers // of the fields of all rules
	language language          // of the expressions of all rules
}

// compile makes the rules of c ready to match, and reports all that is wrong.
func compile(c *Config) (*compiled, error) {
	errs := c.checkScalars()
	if !c.separates() {
		return nil, errors.Join(errs...) // without a separator no pattern can be read
	}
	all := &compiled{rules: make([]*rule, 0, len(c.Rules))}
	var tableErrs []error
	all.language.tables, tableErrs = compileTables(c)
	errs = append(errs, tableErrs...)
	for i := range c.Rules {
		rc := ruleCompiler{all: all, config: c, rule: &c.Rules[i], key: fmt.Sprintf("rules[%d].", i), names: newNames()}
		r := rc.compile()
		if len(rc.errs) > 0 {
			errs = append(errs, rc.errs...)
			r = nil
		}
		all.rules = append(all.rules, r)
	}
	errs = append(errs, shadowed(all.rules)...)
	errs = append(errs, all.language.wrongColumns()...)
	return all, errors.Join(errs...)
}

func (c *Config) checkScalars() []error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	if len(c.Rules) == 0 {
		bad("rules", "write at least one rule with match and topic", "there is no rule")
	}
	switch c.Unmatched {
	case UnmatchedQuarantine, UnmatchedFilter:
	default:
		bad("unmatched", "write quarantine or filter", "%q is unknown", string(c.Unmatched))
	}
	if !c.separates() {
		bad("separator", `write one visible ASCII character other than { } * and #, such as "."`, "%q cannot separate parts", c.Separator)
	}
	if c.MaxTopicBytes < 1 || c.MaxTopicBytes > maxTopicBytes {
		bad("maxTopicBytes", "write a number from 1 to 65535, the limit of MQTT", "%d is out of range", c.MaxTopicBytes)
	}
	if c.CacheKeys < 0 || c.CacheKeys > maxCacheKeys {
		bad("cacheKeys", fmt.Sprintf("write a number from 0 to %d", maxCacheKeys), "%d is out of range", c.CacheKeys)
	}
	return errs
}

// separates reports whether the separator is fit for use.
func (c *Config) separates() bool {
	s := c.Separator
	return len(s) == 1 && s[0] > ' ' && s[0] <= '~' && !isPatternSyntax(s[0])
}
