package config

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Plugins says which plugins offer stages beside those that the program contains,
// and what a plugin may cost. Package plugins/host starts them.
type Plugins struct {
	Directory        string       `yaml:"directory" doc:"Directory of plugins: each file that its SHA256SUMS lists, in the form of sha256sum, is one. No symbolic link may lead out of it."`
	List             []Plugin     `yaml:"list" doc:"Plugins one by one."`
	RuntimeDirectory string       `yaml:"runtimeDirectory" doc:"Where the checked copies that are run and their sockets are, in a directory of mode 0700 that is removed at the end; it must not be mounted noexec. Empty is the directory for temporary files."`
	Limits           PluginLimits `yaml:"limits" doc:"What each plugin may cost, unless its entry in list says otherwise."`
}

// Empty reports whether no plugin is named.
func (p Plugins) Empty() bool { return p.Directory == "" && len(p.List) == 0 }

// Plugin is one plugin.
type Plugin struct {
	Path     string         `yaml:"path" doc:"File that is run: a program, or a script with #! in its first line."`
	SHA256   string         `yaml:"sha256" doc:"SHA-256 of the file, in hexadecimal. Only a file that has it is run."`
	Env      []string       `yaml:"env" doc:"Names of environment variables that the plugin gets. It gets no others of the feed's."`
	Language PluginLanguage `yaml:"language" doc:"go, or no value, for one that was built with plugins.Serve: it is spoken to with mutual TLS. other for one in another language, over a Unix socket in a directory that only the feed's user may enter."`
	Limits   PluginLimits   `yaml:"limits" doc:"What this plugin may cost. 0, or no value, stands for that of plugins.limits."`
}

// PluginLanguage says how a plugin is spoken to.
type PluginLanguage string

// The languages of plugins.
const (
	PluginGo    PluginLanguage = "go"
	PluginOther PluginLanguage = "other"
)

// Values returns all languages.
func (PluginLanguage) Values() []string { return []string{string(PluginGo), string(PluginOther)} }

// PluginLimits bound a plugin.
type PluginLimits struct {
	Memory       feed.Size     `yaml:"memory" doc:"Resident memory beyond which it is killed and started again."`
	OpenFiles    int           `yaml:"openFiles" doc:"Most files and connections that it may have open."`
	Timeout      time.Duration `yaml:"timeout" doc:"How long it may take for one answer before it is killed and started again."`
	Heartbeat    time.Duration `yaml:"heartbeat" doc:"How often it is asked whether it lives; one that has not answered when it is to be asked again is killed."`
	MessageBytes feed.Size     `yaml:"messageBytes" doc:"Most bytes of what one side sends the other at once."`
	Restarts     int           `yaml:"restarts" doc:"How often it is started again within the time of within; beyond that its routes pause until that time has passed."`
	Within       time.Duration `yaml:"within" doc:"The time for restarts."`
}

// DefaultPluginLimits are those of a file that says nothing.
var DefaultPluginLimits = PluginLimits{
	Memory: 512 * feed.MiB, OpenFiles: 256, Timeout: 30 * time.Second, Heartbeat: 5 * time.Second,
	MessageBytes: 64 * feed.MiB, Restarts: 5, Within: 10 * time.Minute,
}

// Or returns the limits with those of all plugins where they are 0.
func (l PluginLimits) Or(all PluginLimits) PluginLimits {
	return PluginLimits{
		Memory: cmp.Or(l.Memory, all.Memory), OpenFiles: cmp.Or(l.OpenFiles, all.OpenFiles),
		Timeout: cmp.Or(l.Timeout, all.Timeout), Heartbeat: cmp.Or(l.Heartbeat, all.Heartbeat),
		MessageBytes: cmp.Or(l.MessageBytes, all.MessageBytes),
		Restarts:     cmp.Or(l.Restarts, all.Restarts), Within: cmp.Or(l.Within, all.Within),
	}
}

// LoadPlugins reads the section plugins: of the file at path and nothing else of
// it: what the plugins offer must be known before the stages of the rest are.
func LoadPlugins(path string) (Plugins, error) {
	data, err := readFile(path)
	if err != nil {
		return Plugins{}, err
	}
	return ParsePlugins(path, data, os.LookupEnv)
}

// ParsePlugins is LoadPlugins for data, which came from the named file.
func ParsePlugins(filename string, data []byte, lookupEnv func(string) (string, bool)) (Plugins, error) {
	c, err := (&decoder{file: filename, lookupEnv: lookupEnv, part: partPlugins}).parse(data)
	if err != nil {
		return Plugins{}, err
	}
	return c.Plugins, nil
}

// checkPlugins checks what can be seen without the files of the plugins.
func (d *decoder) checkPlugins(p Plugins, root *yaml.Node, bad func(key, reason, remedy string)) {
	if e, ok := find(root, "plugins"); ok && len(resolve(e.value).Content) > 0 && p.Empty() {
		bad("plugins", "names no plugin", "write directory:, or list: with the path and the sha256 of each")
	}
	seen := map[string]int{}
	decoding := d.problems
	for i, one := range p.List {
		key := "plugins.list[" + strconv.Itoa(i) + "]"
		if one.Path == "" {
			bad(key+".path", "is missing", "write the path of the file")
		} else if j, again := seen[filepath.Clean(one.Path)]; again {
			bad(key+".path", "is that of plugins.list["+strconv.Itoa(j)+"]", "remove one of them")
		} else {
			seen[filepath.Clean(one.Path)] = i
		}
		unread := func(p Problem) bool { return p.Key == key+".sha256" } // judged when it is whole
		if sum := one.SHA256; !slices.ContainsFunc(decoding, unread) && (len(sum) != 64 || strings.Trim(sum, "0123456789abcdefABCDEF") != "") {
			bad(key+".sha256", "must be 64 hexadecimal digits", "write what sha256sum prints for the file")
		}
		for j, name := range one.Env {
			if name == "" || strings.ContainsAny(name, "=\x00") {
				bad(key+".env["+strconv.Itoa(j)+"]", "is no name of an environment variable", "write the name alone, such as HTTPS_PROXY")
			}
		}
	}
	checkLimits(p.Limits, "plugins.limits", bad)
	for i, one := range p.List {
		checkLimits(one.Limits.Or(DefaultPluginLimits), "plugins.list["+strconv.Itoa(i)+"].limits", bad)
	}
}

func checkLimits(l PluginLimits, key string, bad func(key, reason, remedy string)) {
	atLeast(bad, key+".memory", l.Memory, 16*feed.MiB)
	atLeast(bad, key+".openFiles", l.OpenFiles, 16)
	atLeast(bad, key+".timeout", l.Timeout, 100*time.Millisecond)
	atLeast(bad, key+".heartbeat", l.Heartbeat, 100*time.Millisecond)
	atLeast(bad, key+".messageBytes", l.MessageBytes, leastPluginMessage)
	atLeast(bad, key+".restarts", l.Restarts, fewestRestarts)
	atLeast(bad, key+".within", l.Within, time.Second)
	if l.MessageBytes > mostPluginMessage {
		bad(key+".messageBytes", "must be at most "+mostPluginMessage.String(), "")
	}
}

// fewestRestarts is what a message takes that kills its plugin, until it is condemned
// and the plugin runs again.
const fewestRestarts = 3

// leastPluginMessage is what an answer to a batch of usual size may take: both sides
// fill 4 MiB before they leave messages to the next one.
const leastPluginMessage = 8 * feed.MiB

// mostPluginMessage is what the protocol allows.
const mostPluginMessage = 64 * feed.MiB
