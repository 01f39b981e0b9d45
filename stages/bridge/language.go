package bridge

import (
	"fmt"
	"maps"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/kraft-edge/datafeed/feed"
)

// The limits of an expression.
const (
	maxExpressionBytes = 4096
	// maxCost bounds the steps of one evaluation, in the units of CEL: about
	// one for each operation and ten bytes of text. It ends loops over loops.
	maxCost = 100_000
)

// What expressions can name beside what their rule captures.
const (
	varKey     = "key"
	varHeaders = "headers"
	varPayload = "payload"
	varTime    = "time"
	varTables  = "tables"
)

var variableTypes = map[string]*cel.Type{
	varKey:     cel.StringType,
	varHeaders: cel.MapType(cel.StringType, cel.StringType),
	varPayload: cel.DynType,
	varTime:    cel.TimestampType,
}

// language is what the expressions of all rules have in common.
type language struct {
	env     *cel.Env          // nil until there is an expression
	tables  map[string]*table // by the name that expressions use: tables.name
	read    reads
	columns []columnUse
}

// scope is what the expressions of one rule can name.
type scope struct {
	language *language
	env      *cel.Env
	names    *names
}

// scope returns that of a rule which has captured names.
func (l *language) scope(n *names) (*scope, *feed.ConfigError) {
	for _, name := range slices.Sorted(maps.Keys(n.slots)) {
		if isVariable(name) {
			return nil, &feed.ConfigError{
				Key:     n.keys[name],
				Problem: fmt.Sprintf("in expressions %s is something else than {%s}", name, name),
				Remedy:  "capture it under another name",
			}
		}
	}
	if l.env == nil {
		options := append(standardLibrary(), cel.CrossTypeNumericComparisons(true), ext.Strings())
		for name, typ := range variableTypes {
			options = append(options, cel.Variable(name, typ))
		}
		for name := range l.tables {
			options = append(options, cel.Variable(name, cel.MapType(cel.StringType, cel.MapType(cel.StringType, cel.StringType))))
		}
		env, err := cel.NewCustomEnv(options...)
		if err != nil {
			return nil, &feed.ConfigError{Problem: err.Error()}
		}
		l.env = env
	}
	types := make(map[string]*cel.Type, len(n.slots))
	for name := range n.slots {
		types[name] = cel.StringType
	}
	s := &scope{language: l, env: l.env, names: n}
	return s, s.declare(types)
}

func isVariable(name string) bool { return name == varTables || variableTypes[name] != nil }

// declare adds names to those that the expressions that follow can use.
func (s *scope) declare(types map[string]*cel.Type) *feed.ConfigError {
	options := make([]cel.EnvOption, 0, len(types))
	for name, typ := range types {
		options = append(options, cel.Variable(name, typ))
	}
	env, err := s.env.Extend(options...)
	if err != nil {
		return &feed.ConfigError{Problem: err.Error()}
	}
	s.env = env
	return nil
}

// compile checks an expression and makes it ready. It marks the names that it
// uses. The key is that of the whole configuration.
func (s *scope) compile(key, text string) (*expression, []error) {
	wrong := func(at int, problem, remedy string) []error {
		return []error{&feed.ConfigError{Key: key, At: at, Problem: problem, Remedy: remedy}}
	}
	if len(text) > maxExpressionBytes {
		return nil, wrong(0, fmt.Sprintf("the expression has %d bytes, more than %d", len(text), maxExpressionBytes), "split the rule")
	}
	parsed, issues := s.env.Parse(text)
	if errs := issues.Errors(); len(errs) > 0 {
		problem, remedy := unreadable(text, errs[0]) // the others follow from it
		return nil, wrong(place(text, errs[0].Location), problem, remedy)
	}
	s.language.read.add(ast.NavigateAST(parsed.NativeRep()))
	checked, issues := s.env.Check(parsed)
	if errs := issues.Errors(); len(errs) > 0 {
		var all []error
		for _, err := range errs {
			problem, remedy := s.explain(text, parsed.NativeRep(), err)
			all = append(all, wrong(place(text, err.Location), problem, remedy)...)
		}
		return nil, all
	}
	tree := checked.NativeRep()
	root := ast.NavigateAST(tree)
	if at, problem := badRegexp(text, root, tree.SourceInfo()); problem != "" {
		return nil, wrong(at, problem, "it is RE2: https://github.com/google/re2/wiki/Syntax")
	}
	program, err := s.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.CustomDecoratorV2(sayUnfit(tree)))
	if err != nil {
		return nil, wrong(0, err.Error(), "")
	}
	for _, reference := range tree.ReferenceMap() {
		if _, ok := s.names.slots[reference.Name]; ok {
			s.names.used[reference.Name] = true
		}
	}
	s.language.addColumns(key, text, root, tree.SourceInfo())
	return &expression{key: key, text: text, program: program, typ: checked.OutputType(), tree: tree}, nil
}

// isText reports whether a value of a type can become text.
func isText(t *cel.Type) bool {
	switch t.Kind() {
	case types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.BoolKind, types.DynKind:
		return true
	}
	return false
}

// reads is what expressions read of the payload: the whole, or members of it.
type reads struct {
	whole   bool
	members map[string]bool
}

// add adds what an expression reads. Names within the payload are members of it
// when payload stands in payload.name only.
func (r *reads) add(e ast.NavigableExpr) {
	named := func(e ast.NavigableExpr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == varPayload }
	for _, e := range ast.MatchDescendants(e, named) {
		parent, ok := e.Parent()
		if !ok || parent.Kind() != ast.SelectKind {
			r.whole = true
			continue
		}
		if r.members == nil {
			r.members = map[string]bool{}
		}
		r.members[parent.AsSelect().FieldName()] = true
	}
}
