package bridge

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/kraft-edge/datafeed/feed"
)

// Table holds texts that expressions look up: tables.name[key].column.
type Table struct {
	File string              `yaml:"file" doc:"File of rows, read once at the start: .csv whose first line names the columns, or .yaml, a list of mappings; at most 8 MiB."`
	Rows []map[string]string `yaml:"rows" doc:"In place of file: the rows, each a mapping of columns to texts."`
	Key  string              `yaml:"key" doc:"Column by which rows are found; its text differs in each row."`
}

// The limits of a table.
const (
	maxTableBytes = 8 << 20
	maxTableRows  = 100_000
)

// table is a [Table] ready to look up. It has no rows until its file is read.
type table struct {
	columns []string // sorted
	rows    ref.Val  // a map of maps; nil: not read yet
}

// compileTables makes the tables that stand in the configuration itself, and
// notes those that stand in files.
func compileTables(c *Config) (map[string]*table, []error) {
	var errs []error
	tables := make(map[string]*table, len(c.Tables))
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		tables[varTables+"."+name] = &table{}
		from := c.Tables[name]
		bad := func(key, remedy string, err error) {
			errs = append(errs, &feed.ConfigError{Key: nameKey("tables", name) + key, Problem: err.Error(), Remedy: remedy})
		}
		switch extension := strings.ToLower(filepath.Ext(from.File)); {
		case !isName(name):
			bad("", "", badName(name))
		case from.Key == "":
			bad(".key", "name the column by which rows are found", errors.New("is missing"))
		case from.File != "" && len(from.Rows) > 0:
			bad(".rows", "remove one", errors.New("stands beside file"))
		case from.File == "" && len(from.Rows) == 0:
			bad("", "write file or rows", errors.New("has no rows"))
		case from.File == "":
			t, err := newTable(from.Rows, from.Key)
			if err != nil {
				bad(".rows", "", err)
				continue
			}
			tables[varTables+"."+name] = t
		case extension != ".csv" && extension != ".yaml" && extension != ".yml":
			bad(".file", "name a file that ends in .csv or .yaml", fmt.Errorf("%q is neither CSV nor YAML", extension))
		}
	}
	return tables, errs
}

// newTable makes a table of rows, each found by its text in the column key.
func newTable(rows []map[string]string, key string) (*table, error) {
	if len(rows) > maxTableRows {
		return nil, fmt.Errorf("there are %d rows, more than %d", len(rows), maxTableRows)
	}
	columns := map[string]bool{}
	found := make(map[ref.Val]ref.Val, len(rows))
	for i, row := range rows {
		for column, text := range row {
			if !utf8.ValidString(column) || !utf8.ValidString(text) {
				return nil, fmt.Errorf("row %d is no UTF-8", i+1)
			}
			columns[column] = true
		}
		value := row[key]
		if value == "" {
			return nil, fmt.Errorf("row %d has no text in the column %q, by which rows are found", i+1, key)
		}
		if _, twice := found[types.String(value)]; twice {
			return nil, fmt.Errorf("row %d has %s in the column %q, as an earlier row", i+1, bounded(value, len(value)), key)
		}
		found[types.String(value)] = types.NewStringStringMap(types.DefaultTypeAdapter, row)
	}
	return &table{columns: slices.Sorted(maps.Keys(columns)), rows: types.NewRefValMap(types.DefaultTypeAdapter, found)}, nil
}
