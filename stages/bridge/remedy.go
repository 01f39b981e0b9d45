package bridge

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// remedy says what to write where a message made an expression fail, or nothing.
func (e *expression) remedy(err error) string {
	var unfit *unfitError
	if errors.As(err, &unfit) {
		return unfit.remedy
	}
	problem := err.Error()
	if strings.HasPrefix(problem, noOverload) { // of no call
		return askCondition
	}
	if name, ok := strings.CutPrefix(problem, "no such key: "); ok {
		return e.guard(name)
	}
	return ""
}

// guard returns the question that must come before what names a member, header
// or key.
func (e *expression) guard(name string) string {
	// A name that stands in the expression comes before a computed one.
	guard := ""
	for _, part := range ast.MatchDescendants(ast.NavigateAST(e.tree), ast.AllMatcher()) {
		switch part.Kind() {
		case ast.SelectKind:
			if s := part.AsSelect(); s.FieldName() == name && !s.IsTestOnly() {
				return fmt.Sprintf("ask first: has(%s)", source(e.tree, part.ID()))
			}
		case ast.CallKind:
			c := part.AsCall()
			if c.FunctionName() != operators.Index {
				continue
			}
			in := fmt.Sprintf("ask first: %s in %s", source(e.tree, c.Args()[1].ID()), source(e.tree, c.Args()[0].ID()))
			key := c.Args()[1]
			if key.Kind() != ast.LiteralKind {
				guard = in
			} else if text, ok := key.AsLiteral().(types.String); ok && string(text) == name {
				return in
			}
		}
	}
	return guard
}
