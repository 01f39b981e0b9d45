package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// maxSecretFile bounds what ${file:…} reads.
const maxSecretFile = 64 << 10

// reference finds ${…}, and $$ so that an escaped one is not taken for it.
var reference = regexp.MustCompile(`\$\$|\$\{[^}]*(\}|$)`)

// expandError is what is wrong with a reference. It never holds a value.
type expandError struct{ reason, remedy string }

// references returns the insides of the references in text, or what is wrong
// with the first bad one.
func references(text string) (names []string, bad *expandError) {
	for _, ref := range reference.FindAllString(text, -1) {
		if ref == "$$" {
			continue
		}
		if !strings.HasSuffix(ref, "}") {
			return nil, &expandError{"${ has no closing brace", "write ${NAME}, ${NAME:-default} or ${file:/path}; $$ stands for a dollar sign"}
		}
		names = append(names, ref[2:len(ref)-1])
	}
	return names, nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// checkReferences makes sure that all that text refers to is there. Doubts
// about the permissions of files are returned as warnings.
func checkReferences(text string, lookupEnv func(string) (string, bool)) (warnings []string, bad *expandError) {
	names, bad := references(text)
	if bad != nil {
		return nil, bad
	}
	for _, name := range names {
		if path, ok := strings.CutPrefix(name, "file:"); ok {
			warning, bad := checkSecretFile(path)
			if bad != nil {
				return nil, bad
			}
			if warning != "" {
				warnings = append(warnings, warning)
			}
			continue
		}
		name, _, hasDefault := strings.Cut(name, ":-")
		if !envName.MatchString(name) {
			return nil, &expandError{"${…} does not name an environment variable", "write ${NAME}, ${NAME:-default} or ${file:/path}"}
		}
		if _, ok := lookupEnv(name); !ok && !hasDefault {
			return nil, &expandError{"environment variable " + shorten(name) + " is not set", "set it, or write ${" + shorten(name) + ":-default} if one value is right for all"}
		}
	}
	return warnings, nil
}

// checkSecretFile makes sure that a file that a secret names can be read.
func checkSecretFile(path string) (warning string, bad *expandError) {
	if path == "" {
		return "", &expandError{"${file:} names no file", "write ${file:/path}"}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", &expandError{"cannot read the file: " + err.Error(), "create it, readable for the user that runs the feed"}
	}
	defer f.Close() //nolint:errcheck // nothing was written
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", &expandError{"cannot read the file: " + err.Error(), ""}
	case !info.Mode().IsRegular():
		return "", &expandError{path + " is not a file", "name a file that holds the text"}
	case info.Size() == 0:
		return "", &expandError{path + " is empty", "write the text into it"}
	case info.Size() > maxSecretFile:
		return "", &expandError{path + " is larger than 64 KiB", "name a file that holds the text and nothing else"}
	case info.Mode().Perm()&0o004 != 0:
		return fmt.Sprintf("%s can be read by every user (mode %04o)", path, info.Mode().Perm()), nil
	}
	return "", nil
}

// expand replaces the references in a text that is no secret. It expects that
// checkReferences has passed.
func expand(text string, lookupEnv func(string) (string, bool)) (string, error) {
	s, err := feed.ParseSecret(text, lookupEnv)
	if err != nil {
		return "", err
	}
	return s.Reveal()
}
