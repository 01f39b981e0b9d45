package capacity

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reference finds ${NAME} and ${file:/path}, and ${NAME:-}, which is to be empty
// where it is not set.
var reference = regexp.MustCompile(`\$\{(file:[^}]*|[A-Za-z_][A-Za-z0-9_.]*(:-)?)\}`)

// addresses stand in for the url of a stage, by the stage's name.
var addresses = map[string]string{
	"amqp": "amqps://unknown.invalid/", "mqtt": "mqtts://unknown.invalid", "postgres": "postgres://unknown.invalid/unknown",
	"blob": "file:///unknown.invalid", "http": "https://unknown.invalid", "cloudapi": "https://unknown.invalid",
}

// connectionString stands in for that of a storage account.
const connectionString = "DefaultEndpointsProtocol=https;AccountName=unknown;AccountKey=dW5rbm93bg==;EndpointSuffix=core.windows.net"

// withoutSecrets prepares a feed's file for a machine that has neither its
// secrets nor its addresses, of which capacity depends on none: something that
// has their form stands in for every variable without a default, and for every
// file. The environment of whoever asks is not the feed's, and is not asked.
func withoutSecrets(data []byte) ([]byte, func(name string) (string, bool)) {
	standIns := make(map[string]string)
	var root yaml.Node
	if yaml.Unmarshal(data, &root) == nil { // what is wrong is said by who parses it
		collect(&root, "", "", standIns)
	}
	text := reference.ReplaceAllStringFunc(string(data), func(ref string) string {
		path, ok := strings.CutPrefix(ref, "${file:")
		if !ok {
			return ref
		}
		return "${" + fileVariable(path) + "}" // a secret must be a reference
	})
	for ref, value := range standIns {
		if path, ok := strings.CutPrefix(ref, "${file:"); ok {
			standIns["${"+fileVariable(path)+"}"] = value
		}
	}
	return []byte(text), func(name string) (string, bool) {
		value, ok := standIns["${"+name+"}"]
		return value, ok
	}
}

// fileVariable names the variable in the place of a file.
func fileVariable(path string) string { return fmt.Sprintf("file.%x", path) }

// collect finds the references below n, and what stands in for each: the value of
// key, within the settings of a stage.
func collect(n *yaml.Node, stage, key string, standIns map[string]string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			within := stage
			if addresses[name] != "" {
				within = name
			}
			collect(n.Content[i+1], within, name, standIns)
		}
	case yaml.ScalarNode:
		for _, ref := range reference.FindAllString(n.Value, -1) {
			ref, optional := strings.CutSuffix(ref, ":-}")
			if optional {
				if ref += "}"; key != "url" { // of several ways to a place, an address is one
					continue
				}
			}
			switch {
			case standIns[ref] != "":
			case key == "url" && len(n.Value) <= len(ref)+2 && stage != "":
				standIns[ref] = addresses[stage]
			case key == "connectionString":
				standIns[ref] = connectionString
			case key == "sha256":
				standIns[ref] = strings.Repeat("0", 2*sha256.Size)
			case len(n.Value) > len(ref)+2:
				standIns[ref] = "0" // a part of a name, such as the number of a shard
			default:
				standIns[ref] = "unknown"
			}
		}
	default:
		for _, c := range n.Content {
			collect(c, stage, key, standIns)
		}
	}
}
