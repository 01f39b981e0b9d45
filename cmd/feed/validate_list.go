package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// discrepancyList writes discrepancies to a file, each a line of JSON.
type discrepancyList struct {
	file    *os.File // nil: nowhere
	buffer  *bufio.Writer
	encoder *json.Encoder
}

// openList begins a list; path may be empty. What an earlier run with a state has
// listed stays, for that run is gone on with, unless this one begins anew.
func openList(path, state string, anew bool) (*discrepancyList, error) {
	if path == "" {
		return &discrepancyList{}, nil
	}
	mode := os.O_TRUNC
	if _, err := os.Stat(state); state != "" && !anew && err == nil {
		mode = os.O_APPEND
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|mode, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--list: %w", err)
	}
	l := &discrepancyList{file: f, buffer: bufio.NewWriter(f)}
	l.encoder = json.NewEncoder(l.buffer)
	l.encoder.SetEscapeHTML(false)
	return l, nil
}

func (l *discrepancyList) add(d validate.Discrepancy) error {
	if l.file == nil {
		return nil
	}
	if err := l.encoder.Encode(d); err != nil {
		return fmt.Errorf("--list: %w", err)
	}
	return nil
}

// close writes out what is buffered.
func (l *discrepancyList) close() error {
	if l.file == nil {
		return nil
	}
	if err := errors.Join(l.buffer.Flush(), l.file.Close()); err != nil {
		return fmt.Errorf("--list: %w", err)
	}
	return nil
}

// explainList has explain change the discrepancies that a list has.
func explainList(path string, explain func(*validate.Discrepancy) error) error {
	if path == "" {
		return nil
	}
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--list: %w", err)
	}
	defer in.Close()
	out, err := openPage("--list", path)
	if err != nil {
		return err
	}
	err = out.write(func(w io.Writer) error {
		buffer := bufio.NewWriter(w)
		encoder, decoder := json.NewEncoder(buffer), json.NewDecoder(bufio.NewReader(in))
		encoder.SetEscapeHTML(false)
		for {
			var d validate.Discrepancy
			if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
				return buffer.Flush()
			} else if err != nil {
				return err
			}
			if err := errors.Join(explain(&d), encoder.Encode(d)); err != nil {
				return err
			}
		}
	})
	return errors.Join(err, out.discard())
}
