// Package report writes what a validation found: as an HTML page for a person who
// has to decide, as a summary for a terminal, and as JSON.
//
// The page is one file that fetches nothing. Its script only adds a search, a copy
// of the table and names under the pointer; the page is whole without it. Names, values and places come from machines that may be broken
// or hostile: no text can become markup, and characters that do not show
// themselves are written as escapes such as \u202e.
//
// The same result gives the same bytes.
package report
