package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

const kindCodec feed.Kind = "codec"

// decodeStage decodes the configuration of a stage, which is JSON and so YAML.
func decodeStage(f feed.Factory, document []byte) (feed.StageConfig, error) {
	c := f.NewConfig()
	d := yaml.NewDecoder(bytes.NewReader(document))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the configuration cannot be decoded: %w", err)
	}
	return c, nil
}
