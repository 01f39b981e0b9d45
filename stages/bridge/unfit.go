package bridge

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
	"cel.dev/cel-go/parser"
)

// noOverload begins what CEL says about values that an operator or a function
// does not take. It says no more than that.
const noOverload = "no such overload"

// askCondition is the remedy for what stands beside &&, || or ? and is neither
// true nor false.
const askCondition = "a condition is true or false: compare it, as in payload.running == true"

// sayUnfit decorates the calls of an expression: when a call does not take the
// values that a message has brought, the error says which they are.
func sayUnfit(tree *ast.AST) interpreter.InterpretableDecoratorV2 {
	return func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		if c, ok := i.(interpreter.InterpretableCall); ok {
			return &call{c, tree}, nil
		}
		return i, nil
	}
}

type call struct {
	interpreter.InterpretableCall
	tree *ast.AST
}

// Exec implements [interpreter.InterpretableV2].
func (c *call) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := c.InterpretableCall.Exec(frame)
	err, ok := v.(*types.Err)
	if !ok || !strings.HasPrefix(err.Error(), noOverload) {
		return v
	}
	var said *unfitError
	if errors.As(err, &said) {
		return v
	}
	return c.unfit(frame, err)
}

// Eval implements [interpreter.Interpretable].
func (c *call) Eval(vars interpreter.Activation) ref.Val { return c.Exec(interpreter.AsFrame(vars)) }

// unfit says which values the call does not take. It makes them again, which
// changes nothing; if that fails, the error is that of an argument that is no
// call, but a condition.
func (c *call) unfit(frame *interpreter.ExecutionFrame, err *types.Err) ref.Val {
	args := c.Args()
	values := make([]ref.Val, len(args))
	shown := make([]string, len(args))
	for i, arg := range args {
		values[i] = arg.Exec(frame)
		if types.IsUnknownOrError(values[i]) {
			return types.WrapErr(&unfitError{err.Error(), askCondition})
		}
		shown[i] = inWords(values[i])
	}
	name := c.Function()
	if symbol, ok := operators.FindReverse(name); ok && symbol != "" {
		name = symbol
	}
	return types.WrapErr(&unfitError{name + " does not take " + strings.Join(shown, " and "), c.remedy(values)})
}

// unfitError says what does not go with the values of a message, and what to
// write instead.
type unfitError struct{ problem, remedy string }

func (e *unfitError) Error() string { return e.problem }

// remedy says how to write the call for values that it does not take, or
// nothing.
func (c *call) remedy(values []ref.Val) string {
	text, number := -1, -1
	for i, v := range values {
		switch v.(type) {
		case types.Null:
			return fmt.Sprintf("ask first: %s != null", c.source(i))
		case types.String:
			text = i
		case types.Int, types.Uint, types.Double:
			number = i
		}
	}
	_, symbol := operators.FindReverse(c.Function())
	switch {
	case text >= 0 && number >= 0 && symbol:
		return fmt.Sprintf("double(%s) makes a number of a text, string(%s) a text of a number", c.source(text), c.source(number))
	case c.Function() == operators.Modulo && text < 0 && number >= 0:
		return "int(…) makes a whole number"
	case text >= 0 && symbol:
		return fmt.Sprintf("double(%s) makes a number of a text", c.source(text))
	case number == 0 && !symbol:
		return fmt.Sprintf("string(%s) makes a text of a number", c.source(number))
	}
	return ""
}

// source returns what an argument is in the expression.
func (c *call) source(arg int) string {
	return source(c.tree, c.Args()[arg].ID())
}

// source returns the text of a part of an expression.
func source(tree *ast.AST, id int64) string {
	for _, e := range ast.MatchDescendants(ast.NavigateAST(tree), func(e ast.NavigableExpr) bool { return e.ID() == id }) {
		if text, err := parser.Unparse(e, tree.SourceInfo()); err == nil {
			return text
		}
	}
	return "…"
}

// shownBytes is how much of a text is shown beside what does not take it.
const shownBytes = 60

// inWords names a value as JSON does.
func inWords(v ref.Val) string {
	switch v := v.(type) {
	case types.Null:
		return "null"
	case types.Bool:
		return fmt.Sprint(bool(v))
	case types.String:
		if len(v) > shownBytes {
			return fmt.Sprintf("the text %q… (%d bytes)", string(v[:shownBytes]), len(v))
		}
		return fmt.Sprintf("the text %q", string(v))
	case types.Int, types.Uint, types.Double:
		return fmt.Sprint("the number ", v.Value())
	case traits.Mapper:
		return "an object"
	case traits.Lister:
		return "a list"
	}
	return "a " + v.Type().TypeName()
}
