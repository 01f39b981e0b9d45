package azure_test

import (
	"fmt"
	"strconv"
	"strings"
)

// The part of Bicep that these files are written in. What is beyond it is an error, so that a file cannot mean what this
// parser does not see.

type (
	expression any

	literal   struct{ value any } // string without holes, number, true, false, null
	template  struct{ parts []expression }
	reference struct {
		name string
		line int
	}
	member struct {
		of   expression
		name string
		line int
	}
	call struct {
		name      string
		arguments []expression
		line      int
	}
	object struct {
		keys   []string
		values []expression
	}
	array struct{ items []expression }
	loop  struct {
		variable   string
		over, body expression
	}
	equal struct{ left, right expression }
)

type declaration struct {
	kind      string // param, var, resource, output
	name      string
	typeName  string // of a param or an output
	allowed   []expression
	value     expression
	resource  string // Type@version
	existing  bool
	condition expression
	line      int
}

type file struct {
	using        string // of a file of parameters
	declarations []*declaration
}

type parser struct {
	tokens []token
	at     int
}

type syntaxError struct{ error }

func parse(source string) (parsed *file, err error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	defer func() {
		if failure, ok := recover().(syntaxError); ok {
			parsed, err = nil, failure.error
		}
	}()
	return p.file(), nil
}

func (p *parser) fail(format string, arguments ...any) {
	panic(syntaxError{fmt.Errorf("line %d: "+format, append([]any{p.tokens[p.at].line}, arguments...)...)})
}

func (p *parser) peek(value string) bool {
	return p.tokens[p.at].value == value && p.tokens[p.at].kind != text
}

func (p *parser) take(kind tokenKind) token {
	found := p.tokens[p.at]
	if found.kind != kind {
		p.fail("%q does not belong here", found.value)
	}
	p.at++
	return found
}

func (p *parser) expect(value string) {
	if !p.peek(value) {
		p.fail("%q stands where %q belongs", p.tokens[p.at].value, value)
	}
	p.at++
}

func (p *parser) accept(value string) bool {
	if p.peek(value) {
		p.at++
		return true
	}
	return false
}

func (p *parser) newlines() {
	for p.tokens[p.at].kind == newline {
		p.at++
	}
}

func (p *parser) file() *file {
	parsed := &file{}
	for p.newlines(); p.tokens[p.at].kind != endOfFile; p.newlines() {
		if p.accept("using") {
			parsed.using = p.take(text).value
			p.take(newline)
			continue
		}
		parsed.declarations = append(parsed.declarations, p.declaration())
	}
	return parsed
}

func (p *parser) declaration() *declaration {
	d := &declaration{}
	for p.accept("@") {
		decorator := p.call(p.take(identifier))
		if decorator.name == "allowed" {
			d.allowed = decorator.arguments[0].(array).items
		}
		p.newlines()
	}
	kind := p.take(identifier)
	d.kind, d.line = kind.value, kind.line
	d.name = p.take(identifier).value
	switch d.kind {
	case "param", "output":
		if p.tokens[p.at].kind == identifier {
			d.typeName = p.take(identifier).value
			if p.accept("[") {
				p.expect("]")
				d.typeName += "[]"
			}
		}
		if p.accept("=") {
			d.value = p.expression()
		}
	case "var":
		p.expect("=")
		d.value = p.expression()
	case "resource":
		d.resource = p.take(text).value
		d.existing = p.accept("existing")
		p.expect("=")
		if p.accept("if") {
			p.expect("(")
			d.condition = p.expression()
			p.expect(")")
		}
		d.value = p.object()
	default:
		p.at -= 2
		p.fail("%q begins no declaration", d.kind)
	}
	p.take(newline)
	return d
}

func (p *parser) expression() expression {
	left := p.postfix()
	if p.accept("==") {
		return equal{left, p.postfix()}
	}
	return left
}

func (p *parser) postfix() expression {
	e := p.primary()
	for p.peek(".") {
		line := p.tokens[p.at].line
		p.at++
		e = member{e, p.take(identifier).value, line}
	}
	return e
}

func (p *parser) primary() expression {
	switch t := p.tokens[p.at]; {
	case t.kind == text:
		p.at++
		return p.template(t)
	case t.kind == number:
		p.at++
		n, err := strconv.Atoi(t.value)
		if err != nil {
			p.fail("%v", err)
		}
		return literal{n}
	case p.peek("{"):
		return p.object()
	case p.peek("["):
		return p.array()
	case t.kind == identifier:
		p.at++
		switch t.value {
		case "true", "false":
			return literal{t.value == "true"}
		case "null":
			return literal{nil}
		}
		if p.peek("(") {
			return p.call(t)
		}
		return reference{t.value, t.line}
	default:
		p.fail("%q begins no value", t.value)
		return nil
	}
}

func (p *parser) call(name token) call {
	c := call{name: name.value, line: name.line}
	p.expect("(")
	for p.newlines(); !p.peek(")"); p.newlines() {
		c.arguments = append(c.arguments, p.expression())
		if !p.accept(",") {
			p.newlines()
			break
		}
	}
	p.expect(")")
	return c
}

func (p *parser) object() object {
	var o object
	p.expect("{")
	for p.newlines(); !p.accept("}"); p.newlines() {
		key := p.tokens[p.at]
		if key.kind != identifier && key.kind != text {
			p.fail("%q is no key", key.value)
		}
		p.at++
		for _, other := range o.keys {
			if other == key.value {
				p.fail("the key %s stands twice", key.value)
			}
		}
		p.expect(":")
		o.keys = append(o.keys, key.value)
		o.values = append(o.values, p.expression())
		if !p.peek("}") && !p.accept(",") {
			p.take(newline)
		}
	}
	return o
}

func (p *parser) array() expression {
	p.expect("[")
	p.newlines()
	if p.accept("for") {
		l := loop{variable: p.take(identifier).value}
		p.expect("in")
		l.over = p.expression()
		p.expect(":")
		l.body = p.expression()
		p.newlines()
		p.expect("]")
		return l
	}
	var a array
	for ; !p.accept("]"); p.newlines() {
		a.items = append(a.items, p.expression())
		if !p.peek("]") && !p.accept(",") {
			p.take(newline)
		}
	}
	return a
}

var unescape = strings.NewReplacer(`\'`, `'`, `\\`, `\`, `\n`, "\n", `\$`, `$`)

// template takes a string apart: text and ${holes}.
func (p *parser) template(t token) expression {
	rest := t.value
	var whole template
	for {
		before, after, found := strings.Cut(rest, "${")
		if before != "" || !found && len(whole.parts) == 0 {
			whole.parts = append(whole.parts, literal{unescape.Replace(before)})
		}
		if !found {
			break
		}
		hole, behind, closed := strings.Cut(after, "}")
		if !closed {
			p.fail("a hole of the string does not end")
		}
		tokens, err := lex(hole)
		if err != nil {
			p.fail("%v", err)
		}
		inner := &parser{tokens: tokens}
		whole.parts = append(whole.parts, inner.expression())
		rest = behind
	}
	if only, ok := whole.parts[0].(literal); ok && len(whole.parts) == 1 {
		return only
	}
	return whole
}
