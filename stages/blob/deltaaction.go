package blob

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
)

// deltaAction is a line of a commit, or a row of a checkpoint; one member is set.
type deltaAction struct {
	Protocol *deltaProtocol `json:"protocol"`
	MetaData *deltaMetaData `json:"metaData"`
	Add      *deltaFile     `json:"add"`
	Remove   *struct {
		Path string `json:"path"`
	} `json:"remove"`
}

type deltaMetaData struct {
	Format struct {
		Provider string `json:"provider"`
	} `json:"format"`
	SchemaString  string            `json:"schemaString"`
	Configuration map[string]string `json:"configuration"`
}

// deltaFile is a data file of a table.
type deltaFile struct {
	Path             string             `json:"path"`
	PartitionValues  map[string]*string `json:"partitionValues"`
	Size             int64              `json:"size"`
	ModificationTime int64              `json:"modificationTime"` // in milliseconds since 1970
	DataChange       bool               `json:"dataChange"`
	Stats            string             `json:"stats"`
	DeletionVector   *json.RawMessage   `json:"deletionVector"`
}

// commit applies a commit.
func (d *deltaReader) commit(ctx context.Context, o Object) error {
	raw := d.w.stored(ctx, &target{Object: o})
	lines := bufio.NewReader(raw)
	for n := 1; ; n++ {
		line, err := d.w.line(lines)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return fmt.Errorf("%s:%d: %w", o.Name, n, err)
		}
		if text := strings.TrimSpace(string(line)); text != "" {
			var a deltaAction
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				return fmt.Errorf("%s:%d: %w", o.Name, n, err)
			}
			if err := d.apply(&a); err != nil {
				return fmt.Errorf("%s:%d: %w", o.Name, n, err)
			}
		}
		if ended {
			return nil
		}
	}
}

func (d *deltaReader) apply(a *deltaAction) error {
	if a.Protocol != nil {
		d.s.Protocol = a.Protocol
	}
	if a.MetaData != nil {
		d.s.MetaData = a.MetaData
	}
	if a.Remove != nil {
		name, err := d.name(a.Remove.Path)
		if err != nil {
			return err
		}
		delete(d.s.Files, name)
	}
	if a.Add != nil {
		name, err := d.name(a.Add.Path)
		if err != nil {
			return err
		}
		d.s.Files[name] = a.Add
	}
	return nil
}

// name returns the name of the object that a path in the log means.
func (d *deltaReader) name(encoded string) (string, error) {
	decoded, err := url.PathUnescape(encoded)
	switch {
	case err != nil:
		return "", fmt.Errorf("the path %q cannot be decoded: %w", encoded, err)
	case strings.Contains(encoded, "://") || strings.HasPrefix(encoded, "/"):
		return "", fmt.Errorf("the path %q does not lie below the table, as in a shallow clone, which is not supported", encoded)
	case decoded == "" || path.Clean(decoded) != decoded || strings.HasPrefix(decoded, ".."):
		return "", fmt.Errorf("the path %q leads nowhere", encoded)
	}
	return d.table + decoded, nil
}
