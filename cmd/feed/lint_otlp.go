package main

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/httpclient"
)

// checkOTLP reports a file of authorities with which run would not start. What is
// read anew at each connection is not looked at.
func checkOTLP(cfg *config.Config, file string, data []byte) error {
	if cfg.OTLP.Off() {
		return nil
	}
	_, err := httpclient.TLS(cfg.OTLP.TLS.CAFile)
	if err == nil {
		return nil
	}
	line, column := positionOf(data, "otlp", "tls", "caFile")
	return &config.Error{Problems: []config.Problem{{
		File: file, Line: line, Column: column, Key: "otlp.tls.caFile",
		Reason: strings.TrimPrefix(err.Error(), "read tls.caFile: "), Remedy: "name a PEM file with the certificate of the authority that signs for the receiver",
	}}}
}

// positionOf returns where a key stands in a file that could be read: the last of a path, or
// the one above that is said elsewhere.
func positionOf(data []byte, path ...string) (line, column int) {
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return 0, 0 // of the file as a whole
	}
	n := document.Content[0]
	for _, name := range path {
		below := (*yaml.Node)(nil)
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; key.Value == name {
				line, column, below = key.Line, key.Column, n.Content[i+1]
			}
		}
		if below == nil {
			break
		}
		n = below
	}
	return line, column
}
