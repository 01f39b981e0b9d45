package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestSQLStates(t *testing.T) {
	for _, tt := range []struct {
		code                                  string
		refusesRow, outdated, elsewhere, full bool
	}{
		{code: "22003", refusesRow: true},
		{code: "22021", refusesRow: true},
		{code: "23502", refusesRow: true},
		{code: "23514", refusesRow: true}, // with the name of a constraint
		{code: "54000", refusesRow: true},
		{code: "P0001", refusesRow: true},
		{code: "08006"},
		{code: "25006", elsewhere: true},
		{code: "28P01"},
		{code: "40001"},
		{code: "40P01"},
		{code: "42501", outdated: true},
		{code: "42P01", outdated: true},
		{code: "53100", full: true},
		{code: "53200"},
		{code: "53300"},
		{code: "55P03"},
		{code: "57014"},
		{code: "57P01", elsewhere: true},
		{code: "57P03", elsewhere: true},
		{code: "58030"},
		{code: "XX000"},
	} {
		err := fmt.Errorf("insert: %w", &pgconn.PgError{Code: tt.code, ConstraintName: "c"})
		if refusesRow(err) != tt.refusesRow || outdated(err) != tt.outdated || elsewhere(err) != tt.elsewhere || diskFull(err) != tt.full {
			t.Errorf("%s: refuses the row %v, outdated %v, elsewhere %v, full %v", tt.code, refusesRow(err), outdated(err), elsewhere(err), diskFull(err))
		}
	}
	lost := fmt.Errorf("insert: %w", &pgconn.PgError{Code: "23514"})
	if refusesRow(lost) || !outdated(lost) || !noPartition(lost) {
		t.Error("a row without a partition is blamed")
	}
	if err := errors.New("connection reset"); refusesRow(err) || outdated(err) || elsewhere(err) || diskFull(err) {
		t.Error("a lost connection is taken for something else")
	}
}
