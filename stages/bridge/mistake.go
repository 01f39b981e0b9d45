package bridge

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/kraft-edge/datafeed/feed/config"
)

// unreadable says what is wrong with a text that is no expression.
func unreadable(text string, err *common.Error) (problem, remedy string) {
	at := excerpt(text, err.Location)
	switch {
	case strings.Contains(err.Message, "'<EOF>'"):
		return "the expression ends too early", ""
	case strings.HasPrefix(err.Message, "Syntax error: token recognition error at: '="):
		return "= is no operator, at " + at, "== compares"
	case strings.HasPrefix(at, "`and "), strings.HasPrefix(at, "`or "), strings.HasPrefix(at, "`not "):
		remedy = "write &&, || and !"
	default:
		remedy = "it is CEL, the Common Expression Language: https://cel.dev"
	}
	problem, _, _ = strings.Cut(err.Message, " expecting {")
	return problem + ", at " + at, remedy
}

// explain makes the message of the checker shorter, and says what to do where
// that is known.
func (s *scope) explain(text string, tree *ast.AST, err *common.Error) (problem, remedy string) {
	problem, _, _ = strings.Cut(err.Message, " (in container")
	found := ast.MatchDescendants(ast.NavigateAST(tree), func(e ast.NavigableExpr) bool { return e.ID() == err.ExprID })
	name, undeclared := strings.CutPrefix(problem, "undeclared reference to '")
	name = strings.TrimSuffix(name, "'")
	switch {
	case undeclared && (name == varTables || strings.HasPrefix(name, varTables+".")):
		problem, remedy = "there is no such table", "name it in tables, and write tables.name[key].column"
	case undeclared && len(found) > 0 && found[0].Kind() == ast.CallKind:
		problem, remedy = "there is no function "+name, didYouMean("", name, s.functions())
		if remedy == "" {
			remedy = "what there is: https://cel.dev"
		}
	case undeclared:
		remedy = s.known(name)
	case strings.HasPrefix(problem, "found no matching overload") && len(found) > 0 && found[0].Kind() == ast.CallKind:
		remedy = s.otherTypes(found[0].AsCall(), problem)
	}
	return problem + ", at " + excerpt(text, err.Location), remedy
}

// known says which names there are, and which was probably meant.
func (s *scope) known(name string) string {
	variables := slices.Concat(slices.Sorted(maps.Keys(s.language.tables)), slices.Sorted(maps.Keys(s.names.slots)), slices.Sorted(maps.Keys(variableTypes)))
	remedy := "the rule knows " + strings.Join(variables, ", ") + "; a member of the payload is payload.name"
	members := slices.Sorted(maps.Keys(s.language.read.members))
	if meant := didYouMean(varPayload+".", name, members); meant != "" {
		return meant + " " + remedy
	}
	if meant := didYouMean("", name, variables); meant != "" {
		return meant + " " + remedy
	}
	return remedy
}

// functions returns the names of those that expressions can call.
func (s *scope) functions() []string {
	var names []string
	for name := range s.env.Functions() {
		if first, _ := utf8.DecodeRuneInString(name); unicode.IsLetter(first) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// otherTypes is the remedy for a call that takes other types.
func (s *scope) otherTypes(call ast.CallExpr, problem string) string {
	if call.FunctionName() == operators.Conditional {
		return "both values must be of one type; dyn(…) around one of them allows any"
	}
	if !strings.Contains(problem, "string") {
		return ""
	}
	for _, arg := range call.Args() {
		if arg.Kind() != ast.IdentKind {
			continue
		}
		if _, ok := s.names.slots[arg.AsIdent()]; ok {
			return fmt.Sprintf("what is captured is a string: int(%s) and double(%[1]s) make a number of it", arg.AsIdent())
		}
	}
	return ""
}

// badRegexp says which pattern of the expression is none and where, or nothing.
func badRegexp(text string, root ast.NavigableExpr, source *ast.SourceInfo) (at int, problem string) {
	for _, e := range ast.MatchDescendants(root, ast.FunctionMatcher(overloads.Matches)) {
		args := e.AsCall().Args()
		pattern := args[len(args)-1]
		if pattern.Kind() != ast.LiteralKind {
			continue
		}
		if literal, ok := pattern.AsLiteral().(types.String); ok {
			if _, err := regexp.Compile(string(literal)); err != nil {
				start := source.GetStartLocation(pattern.ID())
				return place(text, start), fmt.Sprintf("%v, at %s", err, excerpt(text, start))
			}
		}
	}
	return 0, ""
}

// didYouMean asks for the nearest of the names, which stands behind a prefix, or
// is empty.
func didYouMean(prefix, name string, names []string) string {
	// Behind the question may stand all names.
	nearest, _, found := strings.Cut(config.DidYouMean(name, names), "?")
	nearest, asked := strings.CutPrefix(nearest, "did you mean ")
	if !found || !asked {
		return ""
	}
	return "did you mean " + prefix + nearest + "?"
}

// excerptRunes is how much of an expression is shown from a mistake on.
const excerptRunes = 30

// place returns which character of an expression, counted from 1, stands at a
// location.
func place(text string, at common.Location) int {
	place := max(at.Column(), 0) + 1
	for _, line := range strings.SplitAfter(text, "\n")[:max(at.Line()-1, 0)] {
		place += utf8.RuneCountInString(line)
	}
	return place
}

// excerpt shows how a line of an expression goes on from a place: in a folded
// block, positions are not those in the file.
func excerpt(text string, at common.Location) string {
	lines := strings.Split(text, "\n")
	line := []rune(strings.TrimRightFunc(lines[min(max(at.Line()-1, 0), len(lines)-1)], unicode.IsSpace))
	rest := line[min(max(at.Column(), 0), len(line)):]
	switch {
	case len(rest) == 0:
		return "the end"
	case len(rest) > excerptRunes:
		return "`" + string(rest[:excerptRunes]) + "…`"
	}
	return "`" + string(rest) + "`"
}
