package bridge

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// readTables reads the tables that stand in files. It stops at the first that
// cannot be used.
func readTables(c *Config, tables map[string]*table) error {
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		from := c.Tables[name]
		if from.File == "" {
			continue
		}
		rows, err := readRows(from.File)
		if err == nil {
			tables[varTables+"."+name], err = newTable(rows, from.Key)
		}
		if err != nil {
			return &feed.ConfigError{Key: "tables." + name + ".file", Problem: fmt.Sprintf("%s: %v", from.File, err)}
		}
	}
	return nil
}

// readRows reads a file of rows.
func readRows(path string) ([]map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.New("cannot be opened: " + reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTableBytes+1))
	if err != nil {
		return nil, errors.New("cannot be read: " + reason(err))
	}
	if len(text) > maxTableBytes {
		return nil, fmt.Errorf("has more than %d bytes", maxTableBytes)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		return parseCSV(text)
	}
	return parseYAML(text)
}

// reason returns what is wrong without the path, which is known.
func reason(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// parseCSV reads rows below a line that names the columns.
func parseCSV(text []byte) ([]map[string]string, error) {
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, errors.New("the line that names the columns is missing")
	}
	columns := records[0]
	for i, column := range columns {
		if column == "" || slices.Contains(columns[:i], column) {
			return nil, fmt.Errorf("column %d has no name of its own: %q", i+1, column)
		}
	}
	rows := make([]map[string]string, 0, len(records)-1)
	for _, record := range records[1:] {
		row := make(map[string]string, len(columns))
		for i, text := range record {
			row[columns[i]] = text
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// parseYAML reads a list of mappings. What is no text keeps the form in which it
// is written.
func parseYAML(text []byte) ([]map[string]string, error) {
	var list []map[string]yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&list); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list of rows")
	}
	rows := make([]map[string]string, 0, len(list))
	for _, from := range list {
		row := make(map[string]string, len(from))
		for column, node := range from {
			if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
				return nil, fmt.Errorf("line %d: %s is no text, number, true or false", node.Line, column)
			}
			row[column] = node.Value
		}
		rows = append(rows, row)
	}
	return rows, nil
}
