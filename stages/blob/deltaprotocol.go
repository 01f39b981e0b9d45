package blob

import (
	"errors"
	"fmt"
)

type deltaProtocol struct {
	MinReaderVersion int      `json:"minReaderVersion"`
	ReaderFeatures   []string `json:"readerFeatures"`
}

// readable refuses what would be read wrongly.
func (s *deltaSnapshot) readable() error {
	if s.Protocol == nil || s.MetaData == nil {
		return errors.New("the log of the Delta table says neither its protocol nor its schema")
	}
	refuse := func(feature string) error {
		return fmt.Errorf("the Delta table uses the reader feature %s, which is not supported: nothing of it is read, since it might be read wrongly", feature)
	}
	if v := s.Protocol.MinReaderVersion; v > 3 {
		return fmt.Errorf("the Delta table needs a reader of version %d, and this is one of version 3", v)
	}
	mapped := s.MetaData.Configuration["delta.columnMapping.mode"]
	if mapped != "" && mapped != "none" {
		return refuse("columnMapping")
	}
	for _, f := range s.Protocol.ReaderFeatures {
		switch f {
		case "timestampNtz", "vacuumProtocolCheck", "columnMapping": // which has the mode none
		default:
			return refuse(f)
		}
	}
	if p := s.MetaData.Format.Provider; p != "" && p != "parquet" {
		return fmt.Errorf("the Delta table has files of format %q, and only parquet is read", p)
	}
	for name, f := range s.Files {
		if f.DeletionVector != nil {
			return fmt.Errorf("%s: %w", name, refuse("deletionVectors"))
		}
	}
	return nil
}
