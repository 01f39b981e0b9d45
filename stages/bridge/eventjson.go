package bridge

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

const (
	contentTypeEvent  = "application/cloudevents+json"
	contentTypeBinary = "application/octet-stream"
)

// appendEvent appends an event in JSON. Data that is JSON, and whose content type
// does not say that it is something else, stands in it as it is; any other as
// base64.
func appendEvent(dst []byte, ev *event, contentType string, data []byte) []byte {
	dst = append(dst, '{')
	ev.attributes(func(name, value string) {
		dst = append(jsonscan.AppendQuoted(separated(dst), name), ':')
		dst = jsonscan.AppendQuoted(dst, value)
	})
	inline := isJSON(contentType) && jsonscan.Check(data).Valid
	if contentType == "" && !inline && len(data) > 0 {
		contentType = contentTypeBinary // without one, data is JSON
	}
	if contentType != "" {
		dst = jsonscan.AppendQuoted(append(dst, `,"datacontenttype":`...), contentType)
	}
	switch {
	case len(data) == 0:
	case inline:
		dst = append(append(dst, `,"data":`...), bytes.Trim(data, " \t\r\n")...)
	default:
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"data_base64":"`...), data)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// isJSON reports whether a content type says so, or says nothing.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json"))
}
