package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// A MissingError says that a server's program is not on this machine.
type MissingError struct {
	Program string // for example "mosquitto"
	Remedy  string // what to do about it
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: %s", e.Program, e.Remedy)
}

const setupRemedy = `run "make setup"`

// find returns the path of a program: the first file that matches one of the patterns (of several matches the last, that
// is the newest version), or else what PATH has.
func find(program string, patterns ...string) (string, error) {
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("find %s: %w", program, err)
		}
		slices.Sort(matches)
		for _, match := range slices.Backward(matches) {
			if info, err := os.Stat(match); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
				return match, nil
			}
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", &MissingError{Program: program, Remedy: setupRemedy}
	}
	return path, nil
}
