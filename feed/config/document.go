package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds the size of a configuration file.
const maxFileBytes = 1 << 20

// readFile reads a configuration file, and no more of it than is allowed.
func readFile(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return data, nil
}

// parseDocument parses data as one YAML document. Aliases are not expanded.
func parseDocument(file string, data []byte) (*yaml.Node, *Problem) {
	whole := func(reason, remedy string) (*yaml.Node, *Problem) {
		return nil, &Problem{File: file, Reason: reason, Remedy: remedy}
	}
	if len(data) > maxFileBytes {
		return whole("the file is larger than 1 MiB", "a feed's configuration is a page or two: is it the right file?")
	}
	if at := invalidUTF8(data); at >= 0 {
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		column := at - bytes.LastIndexByte(data[:at], '\n')
		return nil, &Problem{File: file, Line: line, Column: column, Reason: "the file is not UTF-8", Remedy: "save it as UTF-8 text"}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return whole("the file is empty", "write at least routes: with one route; feed help shows an example")
	} else if err != nil {
		return nil, syntaxProblem(file, data, err)
	}
	if err := dec.Decode(&next); err == nil {
		return nil, &Problem{File: file, Line: next.Line, Column: next.Column, Reason: "the file has a second YAML document", Remedy: "keep one feed a file and remove the ---"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(file, data, err)
	}
	if len(doc.Content) != 1 {
		return whole("the file is empty", "write at least routes: with one route; feed help shows an example")
	}
	return doc.Content[0], nil
}

// invalidUTF8 returns the index of the first byte that is no UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
