package site

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A File is one that a container finds, as it comes from a ConfigMap or a Secret, or will from one that the site expects to
// exist.
type File struct {
	Path    string // in the container
	From    string // "ConfigMap ingest-config" or "Secret ingest-credentials"
	Key     string
	Content []byte
	Here    bool // the site renders its object
}

// Files returns what is mounted into a container from ConfigMaps and Secrets. Of an object that is not here, and mounted as
// a whole, there is none.
func (s *Site) Files(w *Workload, c *corev1.Container) []File {
	var all []File
	for _, mount := range c.VolumeMounts {
		i := slices.IndexFunc(w.Pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 {
			continue // from a claim's template
		}
		for _, file := range s.volume(&w.Pod.Spec.Volumes[i]) {
			if mount.SubPath == "" {
				file.Path = path.Join(mount.MountPath, file.Path)
			} else if rest, found := strings.CutPrefix(file.Path, mount.SubPath); found {
				file.Path = path.Join(mount.MountPath, rest)
			} else {
				continue
			}
			all = append(all, file)
		}
	}
	return all
}

// volume returns the files of a volume, with paths relative to it.
func (s *Site) volume(v *corev1.Volume) []File {
	var all []File
	switch {
	case v.ConfigMap != nil:
		all = s.configMap(v.ConfigMap.Name, v.ConfigMap.Items)
	case v.Secret != nil:
		all = s.secret(v.Secret.SecretName, v.Secret.Items)
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			switch {
			case source.ConfigMap != nil:
				all = append(all, s.configMap(source.ConfigMap.Name, source.ConfigMap.Items)...)
			case source.Secret != nil:
				all = append(all, s.secret(source.Secret.Name, source.Secret.Items)...)
			}
		}
	}
	return all
}

func (s *Site) configMap(name string, items []corev1.KeyToPath) []File {
	data := map[string][]byte{}
	if object, here := s.ConfigMaps[name]; here {
		for key, text := range object.Data {
			data[key] = []byte(text)
		}
	}
	return files("ConfigMap "+name, data, items)
}

func (s *Site) secret(name string, items []corev1.KeyToPath) []File {
	object, here := s.Secrets[name]
	if !here {
		return files("Secret "+name, nil, items)
	}
	return files("Secret "+name, object.Data, items)
}

func files(from string, data map[string][]byte, items []corev1.KeyToPath) []File {
	var all []File
	switch {
	case len(items) > 0:
		for _, item := range items {
			content, known := data[item.Key]
			all = append(all, File{Path: item.Path, From: from, Key: item.Key, Content: content, Here: known})
		}
	default:
		for key, content := range data {
			all = append(all, File{Path: key, From: from, Key: key, Content: content, Here: true})
		}
		slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	}
	return all
}

// A Variable is one of a container's environment.
type Variable struct {
	Name, Value string
	From, Key   string // as in a File; empty for a plain value
	Here        bool   // the value is known
}

// Environment returns a container's variables.
func (s *Site) Environment(c *corev1.Container) []Variable {
	var all []Variable
	for _, env := range c.Env {
		v := Variable{Name: env.Name, Value: env.Value, Here: true}
		if from := env.ValueFrom; from != nil {
			switch {
			case from.ConfigMapKeyRef != nil:
				v.From, v.Key = "ConfigMap "+from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key
				v.Here = false
				if object, here := s.ConfigMaps[from.ConfigMapKeyRef.Name]; here {
					v.Value, v.Here = object.Data[v.Key]
				}
			case from.SecretKeyRef != nil:
				v.From, v.Key = "Secret "+from.SecretKeyRef.Name, from.SecretKeyRef.Key
				value := []byte(nil)
				if object, here := s.Secrets[from.SecretKeyRef.Name]; here {
					value = object.Data[v.Key]
				}
				v.Value, v.Here = string(value), value != nil
			default:
				v.Here = false
			}
		}
		all = append(all, v)
	}
	return all
}
