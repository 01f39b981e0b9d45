package ociimage

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"
)

// SBOM returns the bill of materials of a Go program, from what the Go command
// has written into it: each module with its version and the sum that go.sum has
// (https://cyclonedx.org/docs/1.5/json/).
func SBOM(info *buildinfo.BuildInfo, at time.Time) ([]byte, error) {
	type property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl"`
		Properties []property `json:"properties,omitempty"`
	}
	of := func(kind string, m debug.Module) component {
		if m.Replace != nil {
			m = *m.Replace
		}
		c := component{Type: kind, Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path}
		if m.Version != "" {
			c.PURL += "@" + m.Version
		}
		c.Ref = c.PURL
		if m.Sum != "" {
			c.Properties = append(c.Properties, property{"go:sum", m.Sum})
		}
		return c
	}
	type metadata struct {
		Timestamp time.Time `json:"timestamp"`
		Component component `json:"component"`
	}
	bom := struct {
		Format     string      `json:"bomFormat"`
		Version    string      `json:"specVersion"`
		Number     int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}{Format: "CycloneDX", Version: "1.5", Number: 1, Metadata: metadata{at.UTC().Truncate(time.Second), of("application", info.Main)}}
	bom.Metadata.Component.Properties = append(bom.Metadata.Component.Properties, property{"go:version", info.GoVersion})
	for _, s := range info.Settings {
		bom.Metadata.Component.Properties = append(bom.Metadata.Component.Properties, property{"go:build:" + s.Key, s.Value})
	}
	bom.Components = append(bom.Components, of("library", debug.Module{Path: "std", Version: info.GoVersion}))
	for _, m := range info.Deps {
		bom.Components = append(bom.Components, of("library", *m))
	}
	out, err := json.MarshalIndent(bom, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("bill of materials: %w", err)
	}
	return append(out, '\n'), nil
}
