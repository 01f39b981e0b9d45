package bridge

import (
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// computes returns what a rule computes as the member y.
func computes(t rapid.TB, expression, payload string) (string, error) {
	t.Helper()
	b := newBridge(t, nil, Rule{Match: "t.{n}", Topic: "k/{n}", Payload: Payload{Select: []string{}, Fields: map[string]string{"y": expression}}})
	m := carrying("t.7", payload)
	if _, err := b.Handle(m); err != nil {
		return "", err
	}
	return string(m.Payload), nil
}

// A number is a number, whether it is written with a fraction or without.
func TestArithmetic(t *testing.T) {
	for _, tt := range []struct {
		expression, v string
		want          string // the value, or
		err           string // what the bridge says
	}{
		{expression: `(payload.v - 32.0) / 1.8`, v: `50`, want: `10`},
		{expression: `(payload.v - 32.0) / 1.8`, v: `50.0`, want: `10`},
		{expression: `(payload.v - 32) / 1.8`, v: `50`, want: `10`},
		{expression: `int(payload.v * 10.0)`, v: `21`, want: `210`},
		{expression: `int(payload.v * 10)`, v: `21.5`, want: `215`},
		{expression: `payload.v * 10`, v: `48.3`, want: `483`},
		{expression: `10 * payload.v`, v: `48.25`, want: `482.5`},
		{expression: `payload.v + 1`, v: `0.5`, want: `1.5`},
		{expression: `1.5 - payload.v`, v: `1`, want: `0.5`},
		{expression: `payload.v / 10`, v: `7`, want: `0.7`},
		{expression: `payload.v / 10`, v: `-7`, want: `-0.7`},
		{expression: `payload.v / 10`, v: `70`, want: `7`},
		{expression: `type(payload.v / 10) == int`, v: `70`, want: `true`},
		{expression: `payload.v / 2 * 2`, v: `9007199254740994`, want: `9007199254740994`},
		{expression: `1.5 * 2 + 1 - 0.5 / 2`, v: `0`, want: `3.75`},
		{expression: `int(payload.v) * 1.8`, v: `"10"`, want: `18`},
		{expression: `int(n) / 2`, v: `0`, want: `3.5`},
		{expression: `n == "7" ? int(n) / 2 : 0.5`, v: `0`, want: `3.5`},
		{expression: `uint(n) / 2u`, v: `0`, want: `3.5`},
		{expression: `uint(n) * 0.5`, v: `0`, want: `3.5`},
		{expression: `uint(8) / 2u`, v: `0`, want: `4`},
		{expression: `payload.v % 4`, v: `7`, want: `3`},
		{expression: `payload.v * 3`, v: `9007199254740993`, want: `27021597764222979`},
		{expression: `payload.v - 1`, v: `9007199254740993`, want: `9007199254740992`},
		{expression: `n + "x" + string(payload.v)`, v: `21`, want: `"7x21"`},
		{expression: `[1] + [payload.v]`, v: `1.5`, want: `[1,1.5]`},
		{expression: `timestamp("2026-11-21T03:40:39Z") + duration("1s")`, v: `0`, want: `"2026-11-21T03:40:40Z"`},

		{expression: `payload.v / 0`, v: `7`, err: `rules[0].payload.fields.y: payload.v / 0: division by zero`},
		{expression: `payload.v / 0u`, v: `7`, err: `rules[0].payload.fields.y: payload.v / 0u: `},
		{expression: `payload.v / -1`, v: `-9223372036854775808`, err: `rules[0].payload.fields.y: payload.v / -1: integer overflow`},
		{expression: `payload.v + 1`, v: `9223372036854775807`, err: `rules[0].payload.fields.y: payload.v + 1: integer overflow`},
	} {
		got, err := computes(t, tt.expression, `{"v":`+tt.v+`}`)
		switch {
		case tt.err != "":
			if !feed.IsPermanent(err) || len(err.Error()) < len(tt.err) || err.Error()[:len(tt.err)] != tt.err {
				t.Errorf("%s of %s: %s, error %v, want %s", tt.expression, tt.v, got, err, tt.err)
			}
		case err != nil || got != `{"y":`+tt.want+`}`:
			t.Errorf("%s of %s: %s, error %v, want %s", tt.expression, tt.v, got, err, tt.want)
		}
	}
}

// TestArithmeticOfWholeNumbers compares sums, differences, products and
// quotients of whole numbers with those that have no limits.
func TestArithmeticOfWholeNumbers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.Int64().Draw(rt, "a"), rapid.Int64().Draw(rt, "b")
		if rapid.Bool().Draw(rt, "small") {
			b %= 10
		}
		x, y := big.NewInt(a), big.NewInt(b)
		sign := rapid.SampledFrom([]string{"+", "-", "*", "/"}).Draw(rt, "sign")
		got, err := computes(rt, "payload.a "+sign+" payload.b", `{"a":`+strconv.FormatInt(a, 10)+`,"b":`+strconv.FormatInt(b, 10)+`}`)
		exact, want := new(big.Int), ""
		switch sign {
		case "+":
			exact.Add(x, y)
		case "-":
			exact.Sub(x, y)
		case "*":
			exact.Mul(x, y)
		case "/":
			if b == 0 {
				exact = nil
				break
			}
			rest := new(big.Int)
			if exact.QuoRem(x, y, rest); rest.Sign() != 0 {
				f, err := appendDouble(nil, float64(a)/float64(b))
				if err != nil {
					rt.Fatal(err)
				}
				want = string(f)
			}
		}
		if want == "" && exact != nil && exact.IsInt64() {
			want = exact.String()
		}
		if want == "" {
			if err == nil {
				rt.Fatalf("%d %s %d: %s", a, sign, b, got)
			}
		} else if err != nil || got != `{"y":`+want+`}` {
			rt.Fatalf("%d %s %d: %s, error %v, want %s", a, sign, b, got, err, want)
		}
	})
}
