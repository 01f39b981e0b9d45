package bridge

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/kraft-edge/datafeed/feed"
)

// expression is a checked expression in CEL. It is safe for concurrent use.
type expression struct {
	key     string // in the configuration, such as rules[2].where
	text    string
	program cel.Program
	typ     *cel.Type
	tree    *ast.AST
}

// value evaluates e.
func (e *expression) value(vars *variables) (ref.Val, error) {
	v, _, err := e.program.Eval(vars)
	if err != nil {
		return nil, e.failed(err)
	}
	return v, nil
}

// holds evaluates e, whose type is bool.
func (e *expression) holds(vars *variables) (bool, error) {
	v, err := e.value(vars)
	return v == types.True, err
}

// failed says in which expression err came up. It shows no more than the
// beginning of an error: that may hold a piece of the message.
func (e *expression) failed(err error) error {
	remedy := e.remedy(err)
	if remedy != "" {
		remedy = " (" + clipped(remedy) + ")"
	}
	return feed.Permanent(fmt.Errorf("%s: %s: %s%s", e.key, clipped(e.text), clipped(err.Error()), remedy))
}

// clipped returns the beginning of s, on one line.
func clipped(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", " ")
	if len(s) > quoteBytes {
		return strings.ToValidUTF8(s[:quoteBytes], "\ufffd") + "…"
	}
	return s
}

// textOf returns the text of a string, a number, true or false.
func textOf(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Int:
		return strconv.FormatInt(int64(v), 10), nil
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), nil
	case types.Bool:
		return strconv.FormatBool(bool(v)), nil
	case types.Double:
		number, err := appendDouble(nil, float64(v))
		return string(number), err
	}
	return "", fmt.Errorf("it is a %s, which has no text: make it a string, a number or a bool", v.Type().TypeName())
}

// appendDouble appends a number as JSON writes it.
func appendDouble(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("it is no finite number")
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64), nil
}
