package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestJSONIsTheResult(t *testing.T) {
	r := sample(3, 12, 20)
	r.Device = "<press & co>"
	var b bytes.Buffer
	if err := WriteJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\n  \"device\": \"<press & co>\",\n") {
		t.Errorf("the JSON is not indented, or escapes what JSON need not: %.300s", b.String())
	}
	var back validate.Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, r) {
		t.Errorf("read back: %+v, want %+v", &back, r)
	}
}
