package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

var update = flag.Bool("update", false, "write the golden texts in the scripts anew")

// TestMain lets the tests run the command as a process of its own, and checks
// that they leave no goroutine behind.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"feed": main, "acmeplugin": acmePlugin})
}

type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each process otherwise
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"quarantine": fillQuarantine,
		},
	})
}

// exits runs a command and demands its exit code: exits 2 feed lint x.yaml
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ee *exec.ExitError
		if !errors.As(err, &ee) {
			ts.Fatalf("%v", err)
		}
		code = ee.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// fillQuarantine stores a few items, of each feed or of "feed": quarantine FILE
// [FEED...]
func fillQuarantine(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: quarantine FILE [FEED...]")
	case len(args) > 2:
		for _, name := range args[1:] {
			fillQuarantine(ts, false, []string{args[0], name})
		}
		return
	}
	ctx := context.Background()
	q, err := quarantine.Open(ctx, quarantine.Config{Feed: append(args, "feed")[1], Path: ts.MkAbs(args[0]), MaxBytes: feed.MiB, MaxMessages: 10})
	ts.Check(err)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ts.Check(q.Put(ctx, []feed.QuarantineItem{
		{
			Original: feed.Original{Payload: []byte(`{"value": 1}`), Format: "amqp-0-9-1", Properties: []byte(`{"exchange":"telemetry","routingKey":"telemetry.a"}`), Origin: "queue telemetry"},
			Route:    "telemetry", Stage: "bridge", Reason: "no rule matches telemetry.a", Time: at,
		},
		{
			Original: feed.Original{Payload: []byte("\x00\x01binary\x1b[2J"), Format: "amqp-0-9-1", Properties: []byte(`{}`), Origin: "queue archive"},
			Route:    "archive", Stage: "blob", Reason: "payload is no JSON\nsecond line \x1b[31m", Time: at.Add(time.Minute),
		},
	}))
	ts.Check(q.Close())
}
