package bridge

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// operator is one of arithmetic as the bridge has it.
type operator struct {
	apply functions.BinaryOp
	trait int // of the left operand
}

// arithmetic are the operators that differ from those of CEL: JSON has numbers
// only, and writes the same measurement as 21 or as 21.5.
var arithmetic = map[string]operator{
	operators.Add:      {func(a, b ref.Val) ref.Val { return a.(traits.Adder).Add(b) }, traits.AdderType},
	operators.Subtract: {func(a, b ref.Val) ref.Val { return a.(traits.Subtractor).Subtract(b) }, traits.SubtractorType},
	operators.Multiply: {func(a, b ref.Val) ref.Val { return a.(traits.Multiplier).Multiply(b) }, traits.MultiplierType},
	operators.Divide:   {divide, traits.DividerType},
}

// standardLibrary returns the functions of CEL, with the bridge's arithmetic.
func standardLibrary() []cel.EnvOption {
	var without []*env.Function
	var own []cel.EnvOption
	for _, f := range stdlib.Functions() {
		if op, ok := arithmetic[f.Name()]; ok {
			without = append(without, env.NewFunction(f.Name()))
			own = append(own, cel.Function(f.Name(), op.declaration(f)...))
		}
	}
	return append([]cel.EnvOption{cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{ExcludeFunctions: without}))}, own...)
}

// declaration returns the overloads of the operator in CEL and those of mixed
// numbers.
func (op operator) declaration(standard *decls.FunctionDecl) []cel.FunctionOpt {
	var all []cel.FunctionOpt
	for _, o := range standard.OverloadDecls() {
		result := o.ResultType()
		if o.ID() == overloads.DivideInt64 || o.ID() == overloads.DivideUint64 {
			result = cel.DynType // whole or not
		}
		all = append(all, cel.Overload(o.ID(), o.ArgTypes(), result))
	}
	for _, whole := range []*cel.Type{cel.IntType, cel.UintType} {
		for _, pair := range [][]*cel.Type{{whole, cel.DoubleType}, {cel.DoubleType, whole}} {
			all = append(all, cel.Overload(fmt.Sprintf("%s_%s_%s", standard.Name(), pair[0], pair[1]), pair, cel.DoubleType))
		}
	}
	return append(all, cel.SingletonBinaryBinding(op.mixed, op.trait))
}

// mixed applies the operator, to two doubles when one of the operands is a
// double.
func (op operator) mixed(a, b ref.Val) ref.Val {
	if a.Type() == types.DoubleType {
		b = double(b)
	} else if b.Type() == types.DoubleType {
		a = double(a)
	}
	return op.apply(a, b)
}

// double makes a double of a whole number, and leaves other values.
func double(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Int:
		return types.Double(v)
	case types.Uint:
		return types.Double(v)
	}
	return v
}

// divide divides whole numbers without a remainder to a whole one, others to a
// double.
func divide(a, b ref.Val) ref.Val {
	if m, ok := a.(traits.Modder); ok {
		// A modulus that does not exist is an error: so is the quotient.
		if rest := m.Modulo(b); rest.Equal(types.IntZero) == types.False {
			a, b = double(a), double(b)
		}
	}
	return a.(traits.Divider).Divide(b)
}
