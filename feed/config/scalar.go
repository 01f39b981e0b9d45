package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// scalar reports whether values of t are written as one word or text.
func scalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// typeName describes what a key takes, for people.
func typeName(t reflect.Type) string {
	switch {
	case t == durationType:
		return "duration"
	case t == sizeType:
		return "size"
	case t == secretType:
		return "secret"
	case t == urlType:
		return "URL"
	case enumValues(t) != nil:
		return "one of " + strings.Join(enumValues(t), ", ")
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "text"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "map of " + typeName(t.Elem())
	case reflect.Struct:
		return "mapping"
	case reflect.Pointer:
		return typeName(t.Elem())
	}
	return "whole number"
}

// example shows a value of a type.
func example(t reflect.Type) string {
	switch {
	case t == durationType:
		return "20s"
	case t == sizeType:
		return "4MiB"
	case t == secretType:
		return "${NAME}"
	case t == urlType:
		return "${URL}"
	case t == stageType, t == nestedType:
		return "{name: {…}}"
	case enumValues(t) != nil:
		return enumValues(t)[0]
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true"
	case reflect.Float32, reflect.Float64:
		return "0.5"
	case reflect.Slice:
		return "[" + example(t.Elem()) + "]"
	case reflect.Map:
		return "{name: " + example(t.Elem()) + "}"
	case reflect.Pointer:
		return example(t.Elem())
	case reflect.Struct:
		if fs := fieldsOf(t); len(fs) > 0 {
			return "{" + fs[0].name + ": …}"
		}
		return "{}"
	case reflect.String:
		return `"text"`
	}
	return "10"
}

// text returns the text of a scalar with its references expanded, and how to
// show it in a message: expanded values are not shown.
func (d *decoder) text(n *yaml.Node, t reflect.Type, key string) (text, shown string, ok bool) {
	wrong := func(got string) (string, string, bool) {
		d.problem(n, key, fmt.Sprintf("expected %s such as %s, got %s", article(typeName(t)), example(t), got), "")
		return "", "", false
	}
	if n.Kind != yaml.ScalarNode {
		return wrong(kindOf(n))
	}
	switch n.ShortTag() {
	case "!!null":
		d.problem(n, key, "the key has no value", fmt.Sprintf("write %s such as %s, or remove the key", article(typeName(t)), example(t)))
		return "", "", false
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!merge":
	default:
		return wrong(kindOf(n))
	}
	if d.expanded || !strings.Contains(n.Value, "$") {
		return n.Value, quote(n.Value), true
	}
	warnings, bad := checkReferences(n.Value, d.lookupEnv)
	for _, w := range warnings {
		d.warn(n, key, w, "make it readable for the feed's user only")
	}
	if bad != nil {
		d.problem(n, key, bad.reason, bad.remedy)
		return "", "", false
	}
	text, err := expand(n.Value, d.lookupEnv)
	if err != nil {
		d.problem(n, key, "cannot be read", "")
		return "", "", false
	}
	return text, "the value of " + shorten(n.Value), true
}

func article(noun string) string {
	switch {
	case noun == "text", strings.HasPrefix(noun, "true"), strings.HasPrefix(noun, "one of"):
		return noun
	default:
		return "a " + noun
	}
}

// scalar parses text into v.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key, text, shown string) {
	t := v.Type()
	wrong := func() {
		d.problem(n, key, fmt.Sprintf("expected %s such as %s, got %s", article(typeName(t)), example(t), shown), "")
	}
	if values := enumValues(t); values != nil {
		if !slices.Contains(values, text) {
			remedy := "valid: " + strings.Join(values, ", ")
			if near := nearest(text, values); near != "" && text == n.Value {
				remedy = "did you mean " + near + "? " + remedy
			}
			d.problem(n, key, shown+" is not valid here", remedy)
			return
		}
		v.SetString(text)
		return
	}
	if t == durationType {
		dur, err := time.ParseDuration(text)
		if err != nil {
			d.problem(n, key, "expected a duration with a unit such as 20s, 500ms or 1h30m, got "+shown, "")
			return
		}
		v.SetInt(int64(dur))
		return
	}
	if t == sizeType {
		size, err := feed.ParseSize(text)
		if err != nil {
			d.problem(n, key, "expected a size with a unit such as 4MiB or 1GB, got "+shown, "")
			return
		}
		v.SetInt(int64(size))
		return
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			reason := shown + " is not valid here"
			if text == n.Value {
				reason += ": " + err.Error()
			}
			d.problem(n, key, reason, "")
		}
		return
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			d.problem(n, key, "expected true or false, got "+shown, "")
			return
		}
		v.SetBool(text == "true")
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, t.Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			wrong()
			return
		}
		v.SetFloat(f)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, t.Bits())
		if err != nil {
			d.problem(n, key, fmt.Sprintf("expected a whole number from 0 to %d, got %s", uint64(math.MaxUint64)>>(64-t.Bits()), shown), "")
			return
		}
		v.SetUint(u)
	default:
		i, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, t.Bits())
		if err != nil {
			wrong()
			return
		}
		v.SetInt(i)
	}
}

// secret decodes a feed.Secret or a feed.URL. No message shows the text.
func (d *decoder) secret(n *yaml.Node, v reflect.Value, key string) {
	what := typeName(v.Type())
	if n.Kind != yaml.ScalarNode {
		d.problem(n, key, "expected "+article(what)+" such as "+example(v.Type())+", got "+kindOf(n), "")
		return
	}
	if isNull(n) {
		d.problem(n, key, "the key has no value", "write "+example(v.Type())+", or remove the key")
		return
	}
	if d.expanded {
		d.expandedSecret(n, v, key)
		return
	}
	warnings, bad := checkReferences(n.Value, d.lookupEnv)
	for _, w := range warnings {
		d.warn(n, key, w, "make it readable for the feed's user only")
	}
	if bad != nil {
		d.problem(n, key, bad.reason, bad.remedy)
		return
	}
	names, _ := references(n.Value)
	if v.Type() == secretType && len(names) == 0 && n.Value != "" {
		d.problem(n, key, "a secret does not belong in this file", "write ${NAME} for an environment variable or ${file:/path} for a file that holds it")
		return
	}
	if v.Type() == secretType {
		s, err := feed.ParseSecret(n.Value, d.lookupEnv)
		if err != nil {
			d.problem(n, key, "cannot be read", "")
			return
		}
		if text, err := s.Reveal(); err == nil {
			d.hide(text)
		}
		v.Set(reflect.ValueOf(s))
		return
	}
	u, err := feed.ParseURL(n.Value, d.lookupEnv)
	if err != nil {
		d.problem(n, key, "cannot be read", "")
		return
	}
	if holdsPassword(n.Value) {
		d.warn(n, key, "the URL holds a password", "write the whole URL as ${NAME}, or the password as ${file:/path}")
	}
	d.url(n, v, key, u)
}

// url sets v to a URL that can be parsed.
func (d *decoder) url(n *yaml.Node, v reflect.Value, key string, u feed.URL) {
	parsed, err := u.Parse()
	if err != nil {
		d.problem(n, key, err.Error(), "write scheme://user:password@host:port/path, with special characters of the password as %XX")
		return
	}
	if password, ok := parsed.User.Password(); ok {
		d.hide(password)
	}
	v.Set(reflect.ValueOf(u))
}

// expandedSecret decodes a feed.Secret or a feed.URL whose references were
// expanded before.
func (d *decoder) expandedSecret(n *yaml.Node, v reflect.Value, key string) {
	if v.Type() == urlType {
		d.url(n, v, key, feed.NewURL(n.Value))
		return
	}
	d.hide(n.Value)
	v.Set(reflect.ValueOf(feed.NewSecret(n.Value)))
}

// holdsPassword reports whether a URL, as written in the file, has a literal
// password.
func holdsPassword(text string) bool {
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		return false
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return false
	}
	_, password, ok := strings.Cut(rest[:at], ":")
	return ok && password != "" && !strings.Contains(password, "${")
}
