package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestValidateDocument runs every example of docs/validate.md, in order, and
// compares what it prints with what the document shows.
func TestValidateDocument(t *testing.T) {
	raw, err := os.ReadFile("../../docs/validate.md")
	if err != nil {
		t.Fatal(err)
	}
	api := testenv.Address(t)
	doc := strings.ReplaceAll(string(raw), "127.0.0.1:8080", api)
	commands, files := examplesOf(t, doc)
	if n := strings.Count(commands, "stdout"); n < 15 {
		t.Fatalf("only %d lines are compared:\n%s", n, commands)
	}
	// Who delivers to the API waits until it is there.
	commands = strings.Replace(commands, "exec sh -c 'feed simulate --api", "awaits http://"+api+"/openapi.json\nexec sh -c 'feed simulate --api", 1)
	script := filepath.Join(t.TempDir(), "document.txtar")
	if err := os.WriteFile(script, []byte(commands+files), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("PWD", env.WorkDir)              // as a shell sets it
			for name, value := range map[string]string{ // of files that are only checked
				"AMQP_URL": "amqp://rabbitmq", "CLOUD_URL": "https://api.vendor.example", "CLOUD_SECRET": "canary", "PGPASSWORD": "canary",
				"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=https;AccountName=example;AccountKey=Y2FuYXJ5;EndpointSuffix=core.windows.net",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"awaits": awaits},
	})
}

// awaits waits until a server answers with 200: awaits URL
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awaits URL")
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		resp, err := client.Get(args[0])
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			err = errors.New(resp.Status)
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no answer that is good: %v", err)
		}
	}
}

// TestValidateDocumentIsComplete: docs/validate.md tells of each flag, and the
// arguments of its CronJob are ones that the command takes.
func TestValidateDocumentIsComplete(t *testing.T) {
	doc, err := os.ReadFile("../../docs/validate.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := initializeCLI(streams{strings.NewReader(""), os.Stdout, os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	cmd := c.validateCommand()
	flags := regexp.MustCompile(`(?m)^ +(--[a-z-]+)`).FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1)
	if len(flags) < 9 {
		t.Fatalf("flags %v", flags)
	}
	for _, f := range flags {
		if !regexp.MustCompile("`" + f[1] + "[` ]").Match(doc) {
			t.Errorf("nothing is said of %s", f[1])
		}
	}
	var job struct {
		Spec struct {
			JobTemplate struct {
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct{ Args []string }
						}
					}
				}
			} `yaml:"jobTemplate"`
		}
	}
	for _, b := range block.FindAllStringSubmatch(string(doc), -1) {
		if strings.HasPrefix(b[2], "# cronjob.yaml\n") {
			if err := yaml.Unmarshal([]byte(b[2]), &job); err != nil {
				t.Fatal(err)
			}
		}
	}
	containers := job.Spec.JobTemplate.Spec.Template.Spec.Containers
	if len(containers) != 1 || len(containers[0].Args) < 2 || containers[0].Args[0] != "validate" {
		t.Fatalf("containers %+v", containers)
	}
	if err := cmd.ParseFlags(containers[0].Args[2:]); err != nil || cmd.Flags().NArg() != 0 {
		t.Errorf("arguments %v: %v", containers[0].Args, err)
	}
}
