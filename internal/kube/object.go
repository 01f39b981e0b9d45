package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// An Object is one object of Kubernetes, as YAML.
type Object struct {
	APIVersion string
	Kind       string
	Namespace  string // empty for an object of the cluster, or one that leaves it to who applies it
	Name       string
	YAML       []byte // one document, without the line "---"
}

// ID names the object among all others: "apps/v1 Deployment st-one/ingest".
func (o Object) ID() string {
	if o.Namespace == "" {
		return fmt.Sprintf("%s %s %s", o.APIVersion, o.Kind, o.Name)
	}
	return fmt.Sprintf("%s %s %s/%s", o.APIVersion, o.Kind, o.Namespace, o.Name)
}

// Delete is the command that deletes the object from the cluster.
func (o Object) Delete() string {
	kind := strings.ToLower(o.Kind)
	if group, version, found := strings.Cut(o.APIVersion, "/"); found { // in full: others may have a kind of the same name
		kind += "." + version + "." + group
	}
	if o.Namespace == "" {
		return fmt.Sprintf("kubectl delete %s %s", kind, o.Name)
	}
	return fmt.Sprintf("kubectl -n %s delete %s %s", o.Namespace, kind, o.Name)
}

// Write writes the objects as a stream of YAML documents.
func Write(w io.Writer, all []Object) error {
	for i, object := range all {
		if i > 0 {
			if _, err := io.WriteString(w, "---\n"); err != nil {
				return err
			}
		}
		if _, err := w.Write(object.YAML); err != nil {
			return err
		}
	}
	return nil
}

// Parse takes a stream of YAML documents apart, and writes each as Render does, whoever has written it. Empty documents are
// passed over.
func Parse(stream []byte) ([]Object, error) {
	var all []Object
	decoder := yaml.NewDecoder(bytes.NewReader(stream))
	for {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: %w", len(all)+1, err)
		case len(document.Content) == 0 || document.Content[0].Tag == "!!null":
			continue
		}
		text, err := canonical(&document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(all)+1, err)
		}
		object, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(all)+1, err)
		}
		all = append(all, object)
	}
}

// canonical writes a document as kustomize does: keys sorted, in one style.
func canonical(document *yaml.Node) ([]byte, error) {
	text, err := yaml.Marshal(document)
	if err != nil {
		return nil, err
	}
	json, err := sigsyaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	return sigsyaml.JSONToYAML(json)
}

func parse(document []byte) (Object, error) {
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name, Namespace string }
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return Object{}, err
	}
	o := Object{APIVersion: head.APIVersion, Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name, YAML: document}
	var missing []string
	for _, field := range []struct{ name, value string }{{"apiVersion", o.APIVersion}, {"kind", o.Kind}, {"metadata.name", o.Name}} {
		if field.value == "" {
			missing = append(missing, field.name)
		}
	}
	if len(missing) > 0 {
		return Object{}, fmt.Errorf("this is no object of Kubernetes: it has no %s", strings.Join(missing, ", "))
	}
	return o, nil
}
