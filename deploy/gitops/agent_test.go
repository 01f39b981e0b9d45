package gitops_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing/fstest"
	"text/template"

	"sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/internal/kube"
)

// The agents, as far as rendering goes: which directory of config at which revision a site gets, and what they change in
// it before they apply it. A patch is that of kustomize, for both.

type assignment struct {
	site       string
	repository string
	revision   string
	path       string
	patches    []any
}

// fluxAssignments reads what each cluster's directory renders to.
func fluxAssignments(gitops fs.FS) ([]assignment, error) {
	clusters, err := fs.Glob(gitops, "flux/clusters/*")
	if err != nil {
		return nil, err
	}
	var all []assignment
	for _, cluster := range clusters {
		objects, err := kube.Render(gitops, cluster)
		if err != nil {
			return nil, err
		}
		assigned, err := fluxAssignment(objects)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cluster, err)
		}
		if assigned == nil {
			continue // a site that takes the chart
		}
		assigned.site = path.Base(cluster)
		all = append(all, *assigned)
	}
	return all, nil
}

func fluxAssignment(objects []kube.Object) (*assignment, error) {
	type reference struct{ Kind, Name string }
	repositories := map[string]struct {
		URL string
		Ref map[string]string
	}{}
	var found *assignment
	var from reference
	for _, object := range objects {
		switch object.APIVersion + " " + object.Kind {
		case "source.toolkit.fluxcd.io/v1 GitRepository":
			var repository struct {
				Spec struct {
					URL string
					Ref map[string]string
				}
			}
			if err := yaml.Unmarshal(object.YAML, &repository); err != nil {
				return nil, err
			}
			repositories[object.Name] = repository.Spec
		case "kustomize.toolkit.fluxcd.io/v1 Kustomization":
			var kustomization struct {
				Spec struct {
					SourceRef reference
					Path      string
					Patches   []any
				}
			}
			if err := yaml.Unmarshal(object.YAML, &kustomization); err != nil {
				return nil, err
			}
			if found != nil {
				return nil, errors.New("two Kustomizations")
			}
			from = kustomization.Spec.SourceRef
			found = &assignment{path: kustomization.Spec.Path, patches: kustomization.Spec.Patches}
		case "v1 Namespace":
		case "helm.toolkit.fluxcd.io/v2 HelmRelease":
			return nil, nil
		default:
			return nil, fmt.Errorf("%s is not of Flux, or of an old version", object.ID())
		}
	}
	if found == nil {
		return nil, errors.New("no Kustomization")
	}
	repository, ok := repositories[from.Name]
	if !ok || from.Kind != "GitRepository" || len(repository.Ref) != 1 || repository.Ref["tag"] == "" {
		return nil, fmt.Errorf("the Kustomization takes %v, which is no GitRepository with a tag alone: %v", from, repositories)
	}
	found.repository, found.revision = repository.URL, repository.Ref["tag"]
	return found, nil
}

// argoAssignments makes an Application of each file that the ApplicationSet's generator finds.
func argoAssignments(gitops fs.FS) ([]assignment, error) {
	content, err := fs.ReadFile(gitops, "argocd/applicationset.yaml")
	if err != nil {
		return nil, err
	}
	var set struct {
		Spec struct {
			GoTemplate        bool
			GoTemplateOptions []string
			Generators        []struct {
				Git struct{ Files []struct{ Path string } }
			}
			Template json.RawMessage
		}
	}
	if err := yaml.Unmarshal(content, &set); err != nil {
		return nil, err
	}
	if !set.Spec.GoTemplate {
		return nil, errors.New("the ApplicationSet does not use Go's templates, in which these are written")
	}
	application, err := template.New("").Option(set.Spec.GoTemplateOptions...).Parse(string(set.Spec.Template))
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(gitops, set.Spec.Generators[0].Git.Files[0].Path)
	if err != nil {
		return nil, err
	}
	var all []assignment
	for _, file := range files {
		assigned, err := argoAssignment(gitops, file, application)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, assigned)
	}
	return all, nil
}

func argoAssignment(gitops fs.FS, file string, application *template.Template) (assignment, error) {
	content, err := fs.ReadFile(gitops, file)
	if err != nil {
		return assignment{}, err
	}
	var parameters map[string]any
	if err := yaml.Unmarshal(content, &parameters); err != nil {
		return assignment{}, err
	}
	var text bytes.Buffer
	if err := application.Execute(&text, parameters); err != nil {
		return assignment{}, err
	}
	var made struct {
		Metadata struct{ Name string }
		Spec     struct {
			Source struct {
				RepoURL        string
				TargetRevision string
				Path           string
				Kustomize      struct{ Patches []any }
			}
		}
	}
	if err := yaml.Unmarshal(text.Bytes(), &made); err != nil {
		return assignment{}, err
	}
	source := made.Spec.Source
	site := strings.TrimSuffix(path.Base(file), ".yaml")
	if want := "datafeed-" + site; made.Metadata.Name != want {
		return assignment{}, fmt.Errorf("the Application is called %s, not %s", made.Metadata.Name, want)
	}
	return assignment{site, source.RepoURL, source.TargetRevision, source.Path, source.Kustomize.Patches}, nil
}

// render is what the agent applies: its patches upon the directory.
func (a assignment) render(config fs.FS) ([]kube.Object, error) {
	kustomization, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"resources":  []string{path.Join("..", a.path)},
		"patches":    a.patches,
	})
	if err != nil {
		return nil, err
	}
	tree, err := copied(config)
	if err != nil {
		return nil, err
	}
	tree["agent/kustomization.yaml"] = &fstest.MapFile{Data: kustomization}
	return kube.Render(tree, "agent")
}

func copied(tree fs.FS) (fstest.MapFS, error) {
	all := fstest.MapFS{}
	return all, fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		all[name] = &fstest.MapFile{Data: content}
		return err
	})
}

// checkout is a repository's files at a revision.
func checkout(run func(command string) (string, error), repository, revision, into string) (fs.FS, error) {
	dir := filepath.Join(into, repository+"-"+revision)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := run(fmt.Sprintf("git -C %s archive %s | tar -x -C %s", repository, revision, dir)); err != nil {
		return nil, err
	}
	return os.DirFS(dir), nil
}
