package capacity

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// componentLabel names what a workload is: rabbitmq, ingest, …
const componentLabel = "app.kubernetes.io/name"

// manifest is what is read of an object of Kubernetes: configuration, claims of
// volumes, and who mounts them.
type manifest struct {
	Kind       string
	Metadata   metadata
	Data       map[string]string
	StringData map[string]string `yaml:"stringData"`
	Spec       struct {
		Resources   resources
		Template    podTemplate
		JobTemplate struct {
			Spec struct{ Template podTemplate }
		} `yaml:"jobTemplate"`
		VolumeClaimTemplates []struct {
			Metadata metadata
			Spec     struct{ Resources resources }
		} `yaml:"volumeClaimTemplates"`
	}
}

type metadata struct {
	Name   string
	Labels map[string]string
}

type resources struct{ Requests struct{ Storage string } }

type podTemplate struct {
	Spec struct {
		Volumes []struct {
			ConfigMap struct{ Name string } `yaml:"configMap"`
			Secret    struct {
				SecretName string `yaml:"secretName"`
			}
			Projected struct {
				Sources []struct {
					ConfigMap struct{ Name string } `yaml:"configMap"`
					Secret    struct{ Name string }
				}
			}
			PersistentVolumeClaim struct {
				ClaimName string `yaml:"claimName"`
			} `yaml:"persistentVolumeClaim"`
		}
	}
}

// AddManifests adds what objects of Kubernetes say: the configuration in
// ConfigMaps and Secrets, and the sizes of the volumes that are claimed. A volume
// has the name of the component that mounts it.
func (p *Plan) AddManifests(registry *feed.Registry, file string, data []byte) error {
	all, err := manifests(file, data)
	if err != nil {
		return err
	}
	mounts := make(map[string]string) // name of a ConfigMap or Secret to the component
	claims := make(map[string]string) // name of a claim to its size
	for _, m := range all {
		if m.Kind == "PersistentVolumeClaim" {
			claims[m.Metadata.Name] = m.Spec.Resources.Requests.Storage
		}
	}
	for _, m := range all {
		component := m.Metadata.Labels[componentLabel]
		sizes, names := m.mounted(claims)
		for _, name := range names {
			mounts[name] = component
		}
		switch len(sizes) {
		case 0:
		case 1:
			size, err := ParseQuantity(sizes[0])
			if err != nil {
				return fmt.Errorf("%s: %s %s: %w", file, m.Kind, m.Metadata.Name, err)
			}
			p.volume(component).size = size
		default:
			return fmt.Errorf("%s: %s %s mounts %d claims, and which of them holds what does not show (one for each component can be reckoned with)", file, m.Kind, m.Metadata.Name, len(sizes))
		}
	}
	for _, m := range all {
		if m.Kind != "ConfigMap" && m.Kind != "Secret" {
			continue
		}
		component := cmp.Or(mounts[m.Metadata.Name], m.Metadata.Labels[componentLabel])
		if err := p.addConfiguration(registry, file, component, &m); err != nil {
			return err
		}
	}
	return nil
}

// mounted returns the sizes of the claims that a workload mounts, and the names of
// its ConfigMaps and Secrets.
func (m *manifest) mounted(claims map[string]string) (sizes, names []string) {
	for _, c := range m.Spec.VolumeClaimTemplates {
		sizes = append(sizes, c.Spec.Resources.Requests.Storage)
	}
	for _, v := range slices.Concat(m.Spec.Template.Spec.Volumes, m.Spec.JobTemplate.Spec.Template.Spec.Volumes) {
		if size := claims[v.PersistentVolumeClaim.ClaimName]; size != "" {
			sizes = append(sizes, size)
		}
		names = append(names, v.ConfigMap.Name, v.Secret.SecretName)
		for _, s := range v.Projected.Sources {
			names = append(names, s.ConfigMap.Name, s.Secret.Name)
		}
	}
	return sizes, slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// feedMark is a line that only the file of a feed with routes has.
var feedMark = regexp.MustCompile(`(?m)^routes:`)

// addConfiguration adds the files of a ConfigMap or a Secret.
func (p *Plan) addConfiguration(registry *feed.Registry, file, component string, m *manifest) error {
	for key, text := range m.StringData {
		m.Data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	var keys []string
	for key := range m.Data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		text := []byte(m.Data[key])
		if m.Kind == "Secret" {
			var err error
			if text, err = base64.StdEncoding.DecodeString(m.Data[key]); err != nil {
				return fmt.Errorf("%s: Secret %s: %s is not in base64", file, m.Metadata.Name, key)
			}
		}
		name := fmt.Sprintf("%s: %s %s: %s", file, m.Kind, m.Metadata.Name, key)
		var err error
		switch {
		case path.Ext(key) == ".json" && component == volumeRabbitMQ:
			err = p.AddDefinitions(name, text)
		case path.Ext(key) == ".conf" && component == volumeRabbitMQ:
			err = p.AddRabbitMQConf(name, text)
		case key == "postgresql.conf" && component == volumePostgres:
			err = p.AddPostgresConf(name, text)
		case key == "mosquitto.conf":
			err = p.AddMosquittoConf(name, text)
		case strings.HasSuffix(key, ".yaml") && feedMark.Match(text):
			c, bad := parseFeed(registry, name, text)
			if err = bad; err == nil {
				p.AddFeed(cmp.Or(component, c.Name), c)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// manifests reads a stream of objects.
func manifests(file string, data []byte) (all []manifest, _ error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if m.Data == nil {
			m.Data = make(map[string]string)
		}
		all = append(all, m)
	}
}

// ParseQuantity reads the size of a volume as Kubernetes writes it, such as 5Gi,
// or with the units of a feed, such as 5GiB.
func ParseQuantity(text string) (feed.Size, error) {
	unit := text
	if n := len(text); n > 0 && strings.ContainsRune("ikMGT", rune(text[n-1])) {
		unit += "B"
	}
	size, err := feed.ParseSize(unit)
	if err != nil || size == 0 {
		return 0, fmt.Errorf("%q is no size of a volume: write a whole number and a unit, such as 5Gi", text)
	}
	return size, nil
}
