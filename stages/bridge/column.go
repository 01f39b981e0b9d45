package bridge

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/kraft-edge/datafeed/feed"
)

// columnUse is where an expression names a column of a table.
type columnUse struct {
	key           string // of the expression in the configuration
	at            int
	rest          string // how the expression goes on from there
	table, column string
}

// addColumns notes the columns that an expression names: tables.name[key].column
// or tables.name.key.column.
func (l *language) addColumns(key, text string, root ast.NavigableExpr, source *ast.SourceInfo) {
	for _, e := range ast.MatchDescendants(root, ast.KindMatcher(ast.SelectKind)) {
		row := e.AsSelect().Operand()
		var name ast.Expr
		switch {
		case row.Kind() == ast.SelectKind:
			name = row.AsSelect().Operand()
		case row.Kind() == ast.CallKind && row.AsCall().FunctionName() == operators.Index:
			name = row.AsCall().Args()[0]
		default:
			continue
		}
		if name.Kind() != ast.IdentKind || l.tables[name.AsIdent()] == nil {
			continue
		}
		start := source.GetStartLocation(e.ID())
		l.columns = append(l.columns, columnUse{
			key: key, at: place(text, start), rest: excerpt(text, start),
			table: name.AsIdent(), column: e.AsSelect().FieldName(),
		})
	}
}

// wrongColumns reports the columns that are in no row of their table. Of a table
// that is not read yet nothing is known.
func (l *language) wrongColumns() []error {
	var errs []error
	for _, use := range l.columns {
		t := l.tables[use.table]
		if t.rows == nil || slices.Contains(t.columns, use.column) {
			continue
		}
		errs = append(errs, &feed.ConfigError{
			Key:     use.key,
			At:      use.at,
			Problem: fmt.Sprintf("%s has no column %s, at %s", use.table, use.column, use.rest),
			Remedy:  "its columns are " + strings.Join(t.columns, ", "),
		})
	}
	return errs
}
