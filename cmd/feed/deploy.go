package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/kube"
)

const deployHelp = `Renders what Kubernetes is to run at a site: RabbitMQ, PostgreSQL, Mosquitto and the
feeds, with their configuration, rights and network policies. A site is a
directory below overlays of a tree for kustomize. The binary has a tree of its own,
with examples; --dir names another one, such as that of a repository of yours.

Nothing is sent to a cluster, and no other program is run: render prints, and
kubectl or GitOps applies. It warns of an entry of the site's own images that no
image has the name of, and of images whose digest is an example's.

  feed deploy render --site poc | kubectl apply --server-side -f -
  feed deploy render --site site-a --dir deploy/k8s > site-a.yaml
  feed deploy diff   --site site-a --dir deploy/k8s site-a.yaml
  feed deploy diff   --site site-a --dir deploy/k8s --against prod`

// plan is what the flags of feed deploy say.
type plan struct{ site, dir, against string }

func (c *cli) deployCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Render what Kubernetes is to run at a site, and compare it",
		Long:  deployHelp,
		Args:  knownCommand,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.deployRenderCommand(), c.deployDiffCommand())
	return cmd
}

func (p *plan) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.site, "site", "", "name of the site: a directory below overlays")
	cmd.Flags().StringVar(&p.dir, "dir", "", "directory of the tree (default: the one that the binary has)")
}

func (c *cli) deployRenderCommand() *cobra.Command {
	var p plan
	cmd := &cobra.Command{
		Use:   "render --site NAME",
		Short: "Print the objects of a site as YAML",
		Long:  deployHelp,
		Args:  arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			objects, err := c.deployRender(p)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(c.stdout)
			return failed(errors.Join(kube.Write(out, objects), out.Flush()))
		},
	}
	p.register(cmd)
	return cmd
}

func (c *cli) deployDiffCommand() *cobra.Command {
	var p plan
	cmd := &cobra.Command{
		Use:   "diff --site NAME [RENDERED]",
		Short: "Compare the objects of a site with what was rendered before, or with another site",
		Long: `Compares, object by object, what RENDERED has (a file, or a directory of files,
that render has printed) or another site (--against) with what a site is now, as
a unified diff. A ConfigMap or Secret whose name has another hash is the same object.
It ends with the commands that delete what the site has no more, which kubectl apply
leaves in the cluster: network policies among it, which still let pass what they did.

The exit code is 0 when nothing differs, 1 when something does, 2 when that could
not be found out.`,
		Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.deployDiff(p, args)
		},
	}
	p.register(cmd)
	cmd.Flags().StringVar(&p.against, "against", "", "another site of the tree to compare with")
	return cmd
}

func (c *cli) deployDiff(p plan, args []string) error {
	if (len(args) == 1) == (p.against != "") {
		return errors.New("say what to compare with: a file or directory that was rendered before, or another site with --against NAME")
	}
	to, err := c.deployRender(p)
	if err != nil {
		return err
	}
	var from []kube.Object
	if p.against != "" {
		from, err = p.render(p.against)
	} else {
		from, err = kube.ReadRendered(args[0])
	}
	if err != nil {
		return err
	}
	differences := kube.Diff(from, to)
	out := bufio.NewWriter(c.stdout)
	for _, d := range differences {
		if err := d.Write(out); err != nil {
			return err
		}
	}
	for _, d := range differences {
		if d.To != nil || p.against != "" {
			continue
		}
		if d.From.Kind == "PersistentVolumeClaim" || d.From.Kind == "Namespace" {
			fmt.Fprint(out, "# with all that is kept there: ")
		}
		fmt.Fprintln(out, d.From.Delete())
	}
	if err := out.Flush(); err != nil {
		return err
	}
	switch n := len(differences); n {
	case 0:
		return nil
	case 1:
		return failed(errors.New("1 object differs"))
	default:
		return failed(fmt.Errorf("%d objects differ", n))
	}
}

// deployRender renders the site, and warns of images that no registry may have.
func (c *cli) deployRender(p plan) ([]kube.Object, error) {
	objects, err := p.render(p.site)
	if err != nil {
		return nil, err
	}
	warnings, err := kube.ImageWarnings(p.tree(), "overlays/"+p.site, objects)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		fmt.Fprintln(c.stderr, "warning:", w)
	}
	return objects, nil
}

func (p *plan) tree() fs.FS {
	if p.dir != "" {
		return os.DirFS(p.dir)
	}
	return deploy.Tree()
}

// render renders a site of the tree.
func (p *plan) render(site string) ([]kube.Object, error) {
	tree := p.tree()
	names, err := kube.Sites(tree)
	if err != nil {
		return nil, err
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("--dir %s: it has no site: there is no overlays/NAME/kustomization.yaml below it: %w", p.dir, fs.ErrNotExist)
	case site == "":
		return nil, fmt.Errorf("say which site: --site NAME, one of %q", names)
	case !slices.Contains(names, site):
		return nil, fmt.Errorf("%s has no site %q: %s", cmp.Or(p.dir, "the binary"), oneLine(site, 60), config.DidYouMean(site, names))
	}
	return kube.Render(tree, "overlays/"+site)
}
