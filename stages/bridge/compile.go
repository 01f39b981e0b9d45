package bridge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// ruleCompiler makes a [Rule] ready to match, and collects what is wrong.
type ruleCompiler struct {
	all    *compiled // of all rules; it adds pointers, and what expressions read
	config *Config
	rule   *Rule
	key    string // of the rule, with a dot at the end
	names  *names
	scope  *scope // nil if there are no expressions
	errs   []error
}

// bad notes what is wrong with a key of the rule.
func (c *ruleCompiler) bad(key, remedy string, err error) {
	c.errs = append(c.errs, &feed.ConfigError{Key: c.key + key, Problem: err.Error(), Remedy: remedy})
}

// reject notes an error whose key is relative to the rule.
func (c *ruleCompiler) reject(err *feed.ConfigError) {
	c.bad(err.Key, err.Remedy, errors.New(err.Problem))
}

func (c *ruleCompiler) compile() *rule {
	r := &rule{}
	c.patterns(r)
	if len(c.errs) > 0 {
		return nil // which names there are is not known
	}
	if !c.expressions(r) {
		return nil // which names there are is not known
	}
	if c.rule.Drop == "" {
		c.payload(r)
	}
	before := len(c.errs)
	if c.rule.Drop != "" {
		c.drop(r)
	} else {
		c.templates(r)
		c.cloudEvents(r)
	}
	if len(c.errs) == before { // else a wrong template may mean what seems unused
		c.unused()
	}
	r.perMessage = len(c.rule.Let) > 0 || len(c.rule.Payload.Fields) > 0 || r.events != nil
	return r
}

// patterns reads the patterns, which say what names there are.
func (c *ruleCompiler) patterns(r *rule) {
	n := c.names
	var err error
	n.key = "match"
	if r.key, err = parseKey(c.rule.Match, c.config.Separator[0], n); err != nil {
		c.bad("match", "", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.rule.Headers)) {
		if name == feed.MetaTopic {
			c.bad("headers."+name, "use match for it", errors.New("the topic is no header"))
			continue
		}
		n.key = "headers." + name
		p, err := parseText(c.rule.Headers[name], n)
		if err != nil {
			c.bad(n.key, "", err)
		}
		r.headers = append(r.headers, header{name, p})
	}
	for _, pointer := range slices.Sorted(maps.Keys(c.rule.Fields)) {
		n.key = nameKey("fields", pointer)
		number, err := c.all.pointers.Add(pointer)
		if err != nil {
			c.bad(n.key, "write a JSON Pointer such as /device or /values/0/x", err)
			continue
		}
		p, err := parseText(c.rule.Fields[pointer], n)
		if err != nil {
			c.bad(n.key, "", err)
		}
		r.fields = append(r.fields, field{number, p})
		r.want |= jsonscan.Bit(number)
	}
	slices.SortFunc(r.fields, func(a, b field) int { return a.number - b.number })
}

// expressions checks where and let. The names of let are there for what
// follows, also those whose expressions are wrong. It reports whether the names
// are known.
func (c *ruleCompiler) expressions(r *rule) bool {
	if !c.rule.evaluates() {
		return true
	}
	scope, wrong := c.all.language.scope(c.names)
	if wrong != nil {
		c.reject(wrong)
		return false
	}
	c.scope, r.slots = scope, maps.Clone(c.names.slots)
	if c.rule.Where != "" {
		if r.where = c.expression("where", c.rule.Where); r.where != nil && r.where.typ.Kind() != cel.BoolType.Kind() {
			c.bad("where", "compare it: payload.running == true", fmt.Errorf("%s is of the type %s and must be bool", clipped(c.rule.Where), r.where.typ))
		}
	}
	declared := map[string]*cel.Type{}
	for _, name := range slices.Sorted(maps.Keys(c.rule.Let)) {
		key := "let." + name
		switch {
		case !isName(name):
			c.bad("let", "", badName(name))
			continue
		case isVariable(name):
			c.bad(key, "choose another name", fmt.Errorf("%s has a meaning of its own in expressions", name))
			continue
		}
		declared[name] = cel.DynType
		e := c.expression(key, c.rule.Let[name])
		switch {
		case e == nil:
		case !isText(e.typ):
			c.bad(key, "make it a string, as string(time) does", fmt.Errorf("is of the type %s, which has no text", e.typ))
		default:
			declared[name] = e.typ
		}
		r.let = append(r.let, computed{name: name, expression: e})
	}
	for i := range r.let {
		l := &r.let[i]
		c.names.key = "let." + l.name
		var err error
		if l.slot, err = c.names.add(l.name); err != nil {
			c.bad(c.names.key, "", err)
			delete(declared, l.name)
		}
	}
	if wrong := scope.declare(declared); wrong != nil {
		c.reject(wrong)
		return false
	}
	return true
}

// evaluates reports whether a rule has expressions.
func (r *Rule) evaluates() bool {
	return r.Where != "" || len(r.Let) > 0 || len(r.Payload.Fields) > 0
}

// expression returns nil when it has noted what is wrong.
func (c *ruleCompiler) expression(key, text string) *expression {
	e, wrong := c.scope.compile(c.key+key, text)
	c.errs = append(c.errs, wrong...)
	if e == nil {
		c.names.markWords(text)
	}
	return e
}

// maxReasonBytes is the longest reason for dropping: it becomes a label of
// metrics.
const maxReasonBytes = 64

// drop checks a rule that drops what it matches.
func (c *ruleCompiler) drop(r *rule) {
	reason := c.rule.Drop
	plain := len(reason) <= maxReasonBytes
	for _, char := range reason {
		plain = plain && unicode.IsPrint(char) && char != unicode.ReplacementChar
	}
	if !plain {
		c.bad("drop", fmt.Sprintf("write a few words, at most %d bytes", maxReasonBytes), errors.New("is no short, printable reason"))
	}
	for key, there := range map[string]bool{"topic": c.rule.Topic != "", "set": len(c.rule.Set) > 0, "let": len(c.rule.Let) > 0, "payload": !c.rule.Payload.empty(), "cloudEvents": c.rule.CloudEvents != nil} {
		if there {
			c.bad(key, "remove it, or drop", errors.New("has no use in a rule that drops its messages"))
		}
	}
	r.drop = feed.Filter(reason)
}

// templates reads topic and set.
func (c *ruleCompiler) templates(r *rule) {
	var err error
	if r.topic, err = parseTopic(c.rule.Topic, c.names, c.config.EscapeDots); err != nil {
		c.bad("topic", "", err)
	} else if size := literalBytes(r.topic); size > c.config.MaxTopicBytes && c.config.MaxTopicBytes > 0 {
		c.bad("topic", "raise maxTopicBytes or shorten it", fmt.Errorf("its own text has %d bytes, more than maxTopicBytes %d", size, c.config.MaxTopicBytes))
	}
	for _, name := range slices.Sorted(maps.Keys(c.rule.Set)) {
		if name == feed.MetaTopic || name == "" {
			c.bad("set."+name, "name another metadata key", fmt.Errorf("%q cannot be set here", name))
			continue
		}
		r.set = append(r.set, setting{name, c.template("set."+name, c.rule.Set[name])})
	}
}

// payload reads what makes a new payload.
func (c *ruleCompiler) payload(r *rule) {
	from := &c.rule.Payload
	if from.empty() {
		return
	}
	r.payload = &payload{key: c.key + "payload"}
	if from.Select != nil {
		r.payload.selected = make(map[string]bool, len(from.Select))
	}
	for i, name := range from.Select {
		if r.payload.selected[name] {
			c.bad(fmt.Sprintf("payload.select[%d]", i), "remove one", fmt.Errorf("%q is there twice", name))
		}
		r.payload.selected[name] = true
	}
	if n := len(from.Fields); n > maxPayloadFields {
		c.bad("payload.fields", "", fmt.Errorf("has %d members, more than %d", n, maxPayloadFields))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(from.Fields)) {
		if e := c.expression("payload."+nameKey("fields", name), from.Fields[name]); e != nil {
			r.payload.fields = append(r.payload.fields, member{name, e})
		}
	}
}

// cloudEvents reads what makes messages events.
func (c *ruleCompiler) cloudEvents(r *rule) {
	from := c.rule.CloudEvents
	if from == nil {
		return
	}
	r.events = &events{key: c.key + "cloudEvents", mode: from.Mode}
	if !slices.Contains(Mode.Values(""), string(from.Mode)) {
		c.bad("cloudEvents.mode", "write "+strings.Join(Mode.Values(""), ", "), fmt.Errorf("%q is unknown", string(from.Mode)))
	}
	for _, a := range []struct {
		name, text string
		required   bool
		into       *[]piece
	}{
		{"type", from.Type, true, &r.events.typ},
		{"source", from.Source, true, &r.events.source},
		{"subject", from.Subject, false, &r.events.subject},
		{"id", from.ID, false, &r.events.id},
	} {
		switch err := checkAttribute(a.text, a.required); {
		case err != nil:
			c.bad("cloudEvents."+a.name, "", err)
		case a.text != "":
			*a.into = c.template("cloudEvents."+a.name, a.text)
		}
	}
	if !isURIText(from.Source) {
		c.bad("cloudEvents.source", "write a URI such as /plants/{site} and percent-encode the rest", fmt.Errorf("%q is no URI reference", from.Source))
	}
	for _, s := range r.set {
		if r.events.sets(s.name) {
			c.bad(nameKey("set", s.name), "remove it", errors.New("is what cloudEvents sets"))
		}
	}
}

// template reads a template of any text.
func (c *ruleCompiler) template(key, s string) []piece {
	t, err := parseTemplate(s, c.names)
	if err != nil {
		c.bad(key, "", err)
	}
	if len(t) == 0 {
		t = []piece{{slot: anonymous}} // the empty text
	}
	return t
}

// unused notes names that nothing uses.
func (c *ruleCompiler) unused() {
	for _, name := range slices.Sorted(maps.Keys(c.names.slots)) {
		if c.names.used[name] {
			continue
		}
		if _, ok := c.rule.Let[name]; ok {
			c.bad(c.names.keys[name], "remove it", fmt.Errorf("{%s} is computed and never used", name))
		} else {
			c.bad(c.names.keys[name], "write * for what is not needed", fmt.Errorf("{%s} is captured and never used", name))
		}
	}
}
