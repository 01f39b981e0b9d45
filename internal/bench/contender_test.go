package main

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// shell is a contender that runs a shell script.
func shell(script string) contender {
	return contender{name: "shell", args: []string{"/bin/sh", "-c", script}, env: []string{"GREETING=hello"}, leastBytes: ackBytes}
}

func TestContenderIsStoppedWhenAllIsSettled(t *testing.T) {
	// The script must have set its trap before it is stopped.
	ready := t.TempDir() + "/ready"
	script := `trap 'exit 0' TERM; for i in 1 2 3 4 5; do sleep 0.02; echo $GREETING, and more bytes than an acknowledgement has; done; echo > ` + ready + `; while :; do sleep 0.01; done`
	m, err := shell(script).run(t.Context(), func(ctx context.Context, _ int) error { return awaitFile(ctx, ready) })
	if err != nil {
		t.Fatal(err)
	}
	if m.cpu <= 0 || m.peak.rss <= 0 || m.elapsed <= 0 {
		t.Errorf("got %+v", m)
	}
}

func TestContenderThatEndsEarly(t *testing.T) {
	_, err := shell("echo $GREETING; echo broken >&2; exit 3").run(t.Context(), func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return ctx.Err()
	})
	for _, want := range []string{"ended before", "exit status 3", "hello", "broken"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestContenderWhoseQueueStaysFull(t *testing.T) {
	stuck := errors.New("stuck")
	_, err := shell("exec cat /dev/zero > /dev/null").run(t.Context(), func(context.Context, int) error { return stuck })
	if !errors.Is(err, stuck) {
		t.Errorf("got %v", err)
	}
}

func TestContenderThatIsNotThere(t *testing.T) {
	c := contender{name: "nobody", args: []string{t.TempDir() + "/nobody"}}
	if _, err := c.run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "start nobody") {
		t.Errorf("got %v", err)
	}
}
