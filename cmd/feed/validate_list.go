package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// discrepancyList writes discrepancies to a file, each a line of JSON.
type discrepancyList struct {
	file    *os.File // nil: nowhere
	buffer  *bufio.Writer
	encoder *json.Encoder
}

// openList opens a list; path may be empty. What it has stays until it is resumed.
func openList(path string) (*discrepancyList, error) {
	if path == "" {
		return &discrepancyList{}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--list: %w", err)
	}
	l := &discrepancyList{file: f, buffer: bufio.NewWriter(f)}
	l.encoder = json.NewEncoder(l.buffer)
	l.encoder.SetEscapeHTML(false)
	return l, nil
}

// resume cuts the list to the lines that stand, and goes on behind them.
func (l *discrepancyList) resume(stand int64) error {
	if l.file == nil {
		return nil
	}
	lines, end := bufio.NewReader(l.file), int64(0)
	for n := range stand {
		for {
			part, err := lines.ReadSlice('\n')
			end += int64(len(part))
			if err == nil {
				break
			}
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("--list: %s has %d of the %d discrepancies that an earlier run has found: remove the state to begin anew, or leave --list out", l.file.Name(), n, stand)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return fmt.Errorf("--list: %w", err)
			}
		}
	}
	_, err := l.file.Seek(end, io.SeekStart)
	if err = errors.Join(err, l.file.Truncate(end)); err != nil {
		return fmt.Errorf("--list: %w", err)
	}
	return nil
}

// keep makes durable what was added.
func (l *discrepancyList) keep() error {
	if l.file == nil {
		return nil
	}
	if err := errors.Join(l.buffer.Flush(), l.file.Sync()); err != nil {
		return fmt.Errorf("--list: %w", err)
	}
	return nil
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
	err = wholefile.Write(path, readableMode, func(w io.Writer) error {
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
	if err != nil {
		return fmt.Errorf("--list: %w", err)
	}
	return nil
}
