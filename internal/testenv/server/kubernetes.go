package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// KubernetesConfig says which programs to run. Nobody has them installed: who wants this server builds them.
type KubernetesConfig struct {
	Etcd      string // path of etcd
	APIServer string // path of kube-apiserver
}

// Kubernetes is an API server and its etcd, and nothing else of a cluster: no controller, no scheduler, no node. Objects
// are checked and kept, and nothing comes of them.
type Kubernetes struct {
	dir      string
	ports    Ports
	port     int
	etcdPort int
	token    string
	etcd     process
	api      process
}

// NewKubernetes prepares an API server that keeps its files in dir, which it creates, and which Close removes.
func NewKubernetes(dir string, config KubernetesConfig) (*Kubernetes, error) {
	k := &Kubernetes{dir: dir, token: secret()}
	var peer int
	if err := k.ports.reserveAll(&k.port, &k.etcdPort, &peer); err != nil {
		return nil, errors.Join(err, k.ports.Release())
	}
	if err := k.write(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare kube-apiserver: %w", err), k.Close())
	}
	clientURL, peerURL := "http://"+Address(k.etcdPort), "http://"+Address(peer)
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C"}
	k.etcd = process{
		name: "etcd", path: config.Etcd, env: environment, dir: dir, log: filepath.Join(dir, "etcd.log"),
		args: []string{
			"--data-dir=" + filepath.Join(dir, "etcd"), "--log-level=warn",
			"--listen-client-urls=" + clientURL, "--advertise-client-urls=" + clientURL,
			"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=default=" + peerURL,
			// What it holds ends with it.
			"--unsafe-no-fsync",
		},
	}
	key := filepath.Join(dir, "accounts.pem")
	k.api = process{
		name: "kube-apiserver", path: config.APIServer, env: environment, dir: dir, log: filepath.Join(dir, "kube-apiserver.log"),
		args: []string{
			"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(k.port), "--cert-dir=" + k.certificates(),
			"--etcd-servers=" + clientURL,
			"--anonymous-auth=false", "--token-auth-file=" + k.tokens(), "--authorization-mode=RBAC",
			"--allow-privileged=true",                    // as clusters have it: what forbids it is the namespace's level
			"--enable-admission-plugins=NodeRestriction", // beside those that are on by default, such as PodSecurity
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
			"--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
		},
	}
	return k, nil
}

func (k *Kubernetes) certificates() string { return filepath.Join(k.dir, "certificates") }
func (k *Kubernetes) tokens() string       { return filepath.Join(k.dir, "tokens.csv") }

func (k *Kubernetes) write() error {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(k.tokens(), []byte(k.token+`,admin,admin,"system:masters"`+"\n"), 0o600); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return os.WriteFile(filepath.Join(k.dir, "accounts.pem"), block, 0o600)
}

// Start starts etcd and the API server, and returns when the API server is ready, or when ctx ends. It takes ten seconds.
func (k *Kubernetes) Start(ctx context.Context) error {
	if err := k.etcd.start(); err != nil {
		return err
	}
	if err := k.etcd.waitReady(ctx, 10*time.Millisecond, dialable(k.etcdPort)); err != nil {
		return err
	}
	if err := k.api.start(); err != nil {
		return err
	}
	return k.api.waitReady(ctx, 100*time.Millisecond, k.ready)
}

func (k *Kubernetes) ready(ctx context.Context) error {
	client, err := k.Client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL()+"/readyz", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+k.token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		what, err := io.ReadAll(response.Body)
		return errors.Join(fmt.Errorf("%s: %s", response.Status, what), err)
	}
	return nil
}

// Client returns a client that trusts the API server, which makes its certificate itself when it is started. Whoever asked
// for the client closes its idle connections.
func (k *Kubernetes) Client() (*http.Client, error) {
	certificate, err := os.ReadFile(filepath.Join(k.certificates(), "apiserver.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		return nil, errors.New("the API server's certificate is not written yet")
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}, nil
}

// URL is where the API server listens: https:// with host and port.
func (k *Kubernetes) URL() string { return "https://" + Address(k.port) }

// Token is the bearer token of somebody who may do anything.
func (k *Kubernetes) Token() string { return k.token }

// LogEnd is what the API server logged last.
func (k *Kubernetes) LogEnd() string { return tail(k.api.log) }

// Close stops both for good, frees their ports and removes their directory. It may be called more than once.
func (k *Kubernetes) Close() error {
	return errors.Join(k.api.kill(), k.etcd.kill(), k.ports.Release(), os.RemoveAll(k.dir))
}
