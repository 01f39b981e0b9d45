package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sys/unix"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// binary is the content of the binary of the tests.
func binary(t *testing.T) []byte {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// script writes a plugin: a script that is the binary of the tests with a behaviour
// of its own. Commands of the shell may come before.
func script(t *testing.T, path, how string, before ...string) config.Plugin {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return shell(t, path, fmt.Sprintf("%s\n%s=%s exec %s", strings.Join(before, "\n"), behaviour, how, exe))
}

// shell writes a plugin that is a script.
func shell(t *testing.T, path, commands string) config.Plugin {
	t.Helper()
	text := "#!/bin/sh\n" + commands + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Plugin{Path: path, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
}

// testSettings are those of plugins whose sockets are in a directory of their own.
func testSettings(t *testing.T, list ...config.Plugin) config.Plugins {
	t.Helper()
	l := config.DefaultPluginLimits
	l.Restarts, l.Heartbeat = 1000, testLimits().heartbeat
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left in the runtime directory: %v, %v", left, err)
		}
	})
	return config.Plugins{List: list, RuntimeDirectory: dir, Limits: l}
}

func open(t *testing.T, settings config.Plugins) *Host {
	t.Helper()
	h, err := Open(t.Context(), settings, testLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// made is what a transform of the plugin with a mark makes of payloads.
func made(t *testing.T, f feed.Factory, payloads ...string) string {
	t.Helper()
	c := f.NewConfig()
	c.(config.DocumentConfig).SetDocument([]byte(`{"mark": "+"}`))
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	tr, err := f.Transform(c, feed.StageEnv{Feed: "test", Route: "test", Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	var msgs []*message.Message
	for i, p := range payloads {
		msgs = append(msgs, &message.Message{UUID: fmt.Sprint(i), Payload: []byte(p)})
	}
	var got []string
	for len(got) < len(msgs) {
		for _, m := range tr.Batch(t.Context(), msgs[len(got):]) {
			switch {
			case feed.IsPermanent(m.Err):
				got = append(got, m.Err.Error())
			case m.Err != nil:
				t.Log(m.Err)
			default:
				got = append(got, string(m.Messages[0].Payload))
			}
		}
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	return strings.Join(got, " ")
}

// What a plugin has said before it gave up is told with its end, and is in the log.
func TestLastWords(t *testing.T) {
	for command, c := range map[string]struct{ how, logged string }{
		"say":    {"exit status 3: I give up", `msg="I give up"`},
		"record": {"exit status 3: no licence (code=7, device=press-1)", `msg=closed`},
		"print":  {"exit status 3", `msg="no standard error"`},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			var logged safeBuffer
			h, err := Open(t.Context(), testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "stages")), slog.New(slog.NewTextHandler(&logged, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}()
			if got, want := made(t, factory(t, h, feed.KindTransform), "k!"+command), "killed plugin acme twice: "+c.how; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if n := strings.Count(logged.String(), c.logged); n < 2 {
				t.Errorf("logged %d times, want at least 2:\n%s", n, logged.String())
			}
		})
	}
}

// A plugin that must not be run is refused and says why; the others run.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	good := script(t, filepath.Join(dir, "good"), "stages")
	swapped := script(t, filepath.Join(dir, "swapped"), "stages")
	script(t, swapped.Path, "chatty")
	outside := script(t, filepath.Join(t.TempDir(), "outside"), "stages")
	link := config.Plugin{Path: filepath.Join(dir, "link"), SHA256: outside.SHA256}
	if err := os.Symlink(outside.Path, link.Path); err != nil {
		t.Fatal(err)
	}
	future := script(t, filepath.Join(dir, "future"), "future")
	settings := testSettings(t, good, swapped, link, future, script(t, filepath.Join(dir, "twice"), "raw"))
	h := open(t, settings)
	for i, want := range []string{
		"",
		"swapped is not the file that was pinned: its SHA-256 is ",
		"link is a symlink that leads out of its directory",
		`it speaks version "99" of the protocol, this feed speaks 1`,
		"",
	} {
		if p := h.Plugins()[i]; p.State != map[bool]State{true: StateRunning, false: StateRefused}[want == ""] || p.Since.IsZero() || !strings.Contains(p.Error, want) {
			t.Errorf("%s: %s, %q; want %q", p.Name, p.State, p.Error, want)
		}
	}
	if p := h.Plugins()[0]; p.Title != "acme" || p.Version != "1.2.3" || len(p.Stages) != 5 || p.RSS < 1<<20 || p.PID == 0 {
		t.Errorf("got %+v", p)
	}
	f := slices.DeleteFunc(h.Factories(), func(f feed.Factory) bool { return f.Kind != feed.KindTransform })
	if len(f) != 2 || f[0].Name != "stamp" {
		t.Fatalf("got %v", f)
	}
	if got := made(t, f[0], "a", "b"); got != "a+ b+" {
		t.Errorf("got %s", got)
	}
	if keys := config.Keys(f[0]); len(keys) != 1 || keys[0].Name != "mark" || keys[0].Doc != "What is put behind each payload." {
		t.Errorf("got %v", keys)
	}
	if err := f[0].NewConfig().Validate(); err == nil || err.Error() != "mark: is missing (write a text)" {
		t.Errorf("got %v", err)
	}
}

// Whoever swaps the file of a plugin that runs changes nothing: what is executed,
// at every restart, is the copy that was compared with what is pinned, which only
// the user can reach.
func TestSwappedAfterTheCheck(t *testing.T) {
	p := script(t, filepath.Join(t.TempDir(), "acme"), "stages")
	settings := testSettings(t, p)
	h := open(t, settings)
	script(t, p.Path, "chatty")
	before := h.Plugins()[0].PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	next(t, h.plugins[0].supervisor, 1)
	if got := made(t, factory(t, h, feed.KindTransform), "a"); got != "a+" || h.Plugins()[0].PID == before {
		t.Errorf("got %s of process %d", got, h.Plugins()[0].PID)
	}
	var seen int
	err := filepath.WalkDir(settings.RuntimeDirectory, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && d.IsDir() && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if info.Mode()&fs.ModeSocket != 0 {
			seen++
		}
		return err
	})
	if err != nil || seen != 1 {
		t.Errorf("%d sockets, %v", seen, err)
	}
}

// A route may be made of a plugin's stages alone, of which it knows what it must.
func TestStages(t *testing.T) {
	h := open(t, testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "stages")))
	env := feed.StageEnv{Feed: "test", Route: "test", Logger: testLogger(t)}
	out := filepath.Join(t.TempDir(), "out")
	configured := func(k feed.Kind, document string) (feed.Factory, feed.StageConfig) {
		f := factory(t, h, k)
		c := f.NewConfig()
		c.(config.DocumentConfig).SetDocument([]byte(document))
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		return f, c
	}
	if _, c := configured(feed.KindSink, "{}"); c.(feed.DurableConfig).Durable() {
		t.Error("a sink that is not durable is said to be")
	}
	f, c := configured(feed.KindSource, `{"count": 7}`)
	if n := c.(feed.WindowConfig).Window(); n != 7 {
		t.Errorf("its window is %d", n)
	}
	if r := c.(feed.EndpointConfig).Reads(); !slices.Equal(r, []string{"count://here"}) {
		t.Errorf("it reads %v", r)
	}
	source, err := f.Source(c, env)
	if err != nil {
		t.Fatal(err)
	}
	f, c = configured(feed.KindSink, fmt.Sprintf(`{"path": %q}`, out))
	if !c.(feed.DurableConfig).Durable() {
		t.Error("a sink that is durable is not said to be")
	}
	sink, err := f.Sink(c, env)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := feed.New(feed.Options{Logger: testLogger(t)}, feed.Route{Name: "test", Source: source, Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	if err := fd.Run(t.Context()); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != "n:0\nn:1\nn:2\nn:3\nn:4\nn:5\nn:6\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

// Codecs and expectations come of a plugin, too.
func TestSides(t *testing.T) {
	h := open(t, testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "stages")))
	env := feed.StageEnv{Feed: "test", Route: "test", Logger: testLogger(t)}
	f := factory(t, h, feed.KindCodec)
	codec, err := batch.NewCodec(f, f.NewConfig(), env)
	if err != nil {
		t.Fatal(err)
	}
	body, err := codec.Append(nil, []reading.Reading{{Device: "press-1", Tag: "t", Value: reading.OfInt(7)}})
	if err != nil {
		t.Error(err)
	}
	if got, err := codec.Decode(nil, body, batch.Limits{}); err != nil || len(got) != 1 || got[0].Device != "press-1" {
		t.Errorf("got %v, %v of %s", got, err, body)
	}
	f = factory(t, h, feed.KindExpectation)
	expectation, err := validate.NewExpectation(f, f.NewConfig(), env)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := expectation.Watermark(t.Context()); err != nil || !w.IsZero() {
		t.Errorf("got %v, %v", w, err)
	}
	if err := errors.Join(codec.Close(), expectation.Close()); err != nil {
		t.Error(err)
	}
}

// What is expected of every plugin is checked, and what is wrong is said.
func TestConform(t *testing.T) {
	h := open(t, testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "stages")))
	checks, err := h.Conform(t.Context())
	if err != nil || len(checks) != 4+2*5 {
		t.Fatalf("%d checks, %v", len(checks), err)
	}
	for _, c := range checks {
		if c.Problem != "" {
			t.Errorf("%s: %s", c.Name, c.Problem)
		}
	}
	h = open(t, testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "raw")))
	checks, err = h.Conform(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]string{}
	for _, c := range checks {
		wrong[c.Name] = c.Problem
	}
	for name, want := range map[string]string{
		"refuses a key that transform obey does not have": "a key with a typing error would go unnoticed",
		"refuses a stage that it does not have":           "it finds nothing wrong with the settings of a stage that it does not have",
		"is the same after it was killed":                 "it describes itself in another way than before",
		"documents transform obey":                        "",
	} {
		if got, ok := wrong[name]; !ok || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// One that has to be killed at the end does not pass.
func TestConformStubborn(t *testing.T) {
	p := script(t, filepath.Join(t.TempDir(), "acme"), "stubborn")
	p.Language = config.PluginOther
	checks, err := open(t, testSettings(t, p)).Conform(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last := checks[len(checks)-1]; last.Name != "ends when it is asked to" || !strings.Contains(last.Problem, "had to be killed") {
		t.Errorf("got %+v", last)
	}
}

// Whatever ends the host, its plugins end with it.
func TestEndWithHost(t *testing.T) {
	p := script(t, filepath.Join(t.TempDir(), "acme"), "stages")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), hostOf+"="+p.Path+" "+p.SHA256, "TMPDIR="+parent)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanln(out, &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000); err != nil || n != 1 {
		t.Errorf("plugin %d goes on without its host: %v", pid, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the host has ended well")
	}
	// The next host removes what that one has left.
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := newPrivateDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.remove(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// hostOf names the variable with the plugin of a process that is a host.
const hostOf = "DATAFEED_TEST_HOST_OF"

// serveHost runs a plugin until the process ends.
func serveHost(of string) {
	path, sum, _ := strings.Cut(of, " ")
	h, err := Open(context.Background(), config.Plugins{List: []config.Plugin{{Path: path, SHA256: sum}}, Limits: config.DefaultPluginLimits}, slog.Default())
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Plugins()[0].PID)
	forever()
}

// factory returns the host's only factory of a kind.
func factory(t *testing.T, h *Host, k feed.Kind) feed.Factory {
	t.Helper()
	all := slices.DeleteFunc(h.Factories(), func(f feed.Factory) bool { return f.Kind != k })
	if len(all) != 1 {
		t.Fatalf("%d factories are of kind %s", len(all), k)
	}
	return all[0]
}

// What is executed may be a binary, too, whose directory lists it. A line that is
// wrong is left out alone.
func TestOpenDirectory(t *testing.T) {
	t.Setenv(behaviour, "stages")
	dir := t.TempDir()
	content := binary(t)
	if err := os.WriteFile(filepath.Join(dir, "acme"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, sumsFile), fmt.Sprintf("%x  acme\nnonsense\n", sha256.Sum256(content)))
	settings := testSettings(t)
	settings.Directory = dir
	got := open(t, settings).Plugins()
	if len(got) != 2 || got[1].State != StateRunning || got[1].Name != "acme" {
		t.Errorf("got %+v", got)
	}
	if bad := got[0]; bad.State != StateRefused || bad.Since.IsZero() || bad.Name != "SHA256SUMS:2" || !strings.Contains(bad.Error, `SHA256SUMS:2: "nonsense" is no line of sha256sum`) {
		t.Errorf("got %+v", bad)
	}
}

// Two that cannot be told apart are an error that names both.
func TestOpenTwice(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	a, b := script(t, filepath.Join(dir, "a"), "stages"), script(t, filepath.Join(dir, "b"), "stages")
	for _, c := range []struct {
		list []config.Plugin
		want string
	}{
		{[]config.Plugin{a, b}, `plugins a and b both have a transform "stamp": leave one of them out`},
		{[]config.Plugin{a, script(t, filepath.Join(other, "a"), "stages")}, fmt.Sprintf("two plugins are named a, %s and %s: rename a file", a.Path, filepath.Join(other, "a"))},
		{[]config.Plugin{{Path: "x", SHA256: "abc"}}, "plugins.list[0].sha256: 3 characters are no SHA-256"},
	} {
		if _, err := Open(t.Context(), testSettings(t, c.list...), testLogger(t)); err == nil || err.Error() != c.want && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestOpenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := script(t, filepath.Join(t.TempDir(), "acme"), "silent")
	if _, err := Open(ctx, testSettings(t, p), testLogger(t)); err == nil || !strings.Contains(err.Error(), "start the plugins: context canceled") {
		t.Errorf("got %v", err)
	}
}

// A message that kills the plugin twice is told from its neighbours.
func TestPoison(t *testing.T) {
	h := open(t, testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "stages")))
	got := made(t, factory(t, h, feed.KindTransform), "a", "b", "c!panic", "d", "e")
	t.Log(got)
	if !strings.HasPrefix(got, "a+ b+ ") || !strings.HasSuffix(got, " d+ e+") || !strings.Contains(got, "twice: ") {
		t.Errorf("got %s", got)
	}
}

// What a plugin has started counts as its own memory.
func TestMemoryOfChildren(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := shell(t, filepath.Join(t.TempDir(), "acme"), fmt.Sprintf("%s=raw %s\nexit $?", behaviour, exe)) // two processes
	settings := testSettings(t, p)
	settings.Limits.Memory = 200 * feed.MiB
	h := open(t, settings)
	s := h.plugins[0].supervisor
	stages, gen := client(t, s)
	_ = tell(t, stages, "grow") // it may be killed meanwhile
	next(t, s, gen)
	if got := h.Plugins()[0]; got.Restarts[reasonMemory] != 1 || !strings.Contains(got.LastEnd, "MiB of memory, and may hold 200") {
		t.Errorf("got %+v", got)
	}
}

// The limits of an entry count more than those of all plugins.
func TestLimitsOfOne(t *testing.T) {
	dir := t.TempDir()
	one, other := script(t, filepath.Join(dir, "one"), "raw"), script(t, filepath.Join(dir, "other"), "busy")
	one.Limits.OpenFiles = 99
	h := open(t, testSettings(t, one, other))
	for i, want := range []string{"Max open files 99 99", "Max open files 256 256"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", h.Plugins()[i].PID))
		if err != nil {
			t.Fatal(err)
		}
		if flat := strings.Join(strings.Fields(string(text)), " "); !strings.Contains(flat, want) {
			t.Errorf("%q is not among %s", want, text)
		}
	}
}
