package blob

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// The proxy of the environment is read once per process: these tests publish
// from a process of their own.

const childConfig = "BLOB_TEST_CHILD_CONFIG"

// remote is the configuration of a child.
type remote struct {
	URL, ConnectionString, Container, CAFile string
	Azure                                    Azure
}

// publishRemotely is what the test binary does when it is started as a
// publisher: it publishes one message and prints the error.
func publishRemotely(text string) error {
	var r remote
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	cfg := DefaultConfig()
	cfg.URL, cfg.ConnectionString = feed.NewURL(r.URL), feed.NewSecret(r.ConnectionString)
	cfg.Container, cfg.TLS.CAFile, cfg.Azure = r.Container, r.CAFile, r.Azure
	s, err := NewSink(cfg, testEnv)
	if err == nil {
		err = s.PublishBatch(childContext, batch(msg(`1`)))
	}
	fmt.Println(err)
	return nil
}

func runRemotely(t *testing.T, r remote, env map[string]string) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(strings.ToUpper(kv), "="); !strings.HasSuffix(k, "_PROXY") && !strings.HasPrefix(k, "AZURE_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, childConfig+"="+string(text))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, k+"="+env[k])
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// connectProxy is a forward proxy with a password that leads every CONNECT to
// one server.
type connectProxy struct {
	url string

	mu    sync.Mutex
	hosts []string
}

func (p *connectProxy) asked() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.hosts)
	return strings.Join(slices.Compact(p.hosts), " ")
}

func newConnectProxy(t *testing.T, target string) *connectProxy {
	t.Helper()
	const user, password = "feed", "proxy-secret"
	p := &connectProxy{}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	var links sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			http.Error(w, "refused", http.StatusProxyAuthRequired)
			return
		}
		p.mu.Lock()
		p.hosts = append(p.hosts, r.Host)
		p.mu.Unlock()
		up, err := net.Dial("tcp", target)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		// Answered by hand: the client sends nothing before, so that nothing is
		// lost in the server's buffer.
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			t.Error(err)
			return
		}
		links.Go(func() { _, _ = io.Copy(up, down); _ = up.Close() })
		links.Go(func() { _, _ = io.Copy(down, up); _ = down.Close() })
	}))
	t.Cleanup(func() { srv.Close(); links.Wait() })
	p.url = strings.Replace(srv.URL, "http://", "http://"+user+":"+password+"@", 1)
	return p
}

const (
	blobHost  = "plant.blob.test"
	loginHost = "login.test"
)

// tlsFront is a server with a certificate of a private authority for blobHost
// and loginHost.
func tlsFront(t *testing.T, ca *testenv.Certificates, h http.Handler) (addr string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(ca.Server("front", blobHost, loginHost))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func forwardTo(addr string, change func(*http.Request)) http.Handler {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			r.Out.Host = addr
			if change != nil {
				change(r.Out)
			}
		},
	}
}

func TestAzureThroughProxyWithCustomCA(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.Azurite(t)
	ca := testenv.CA(t)
	proxy := newConnectProxy(t, tlsFront(t, ca, forwardTo(server.Addr, nil)))
	env := map[string]string{"HTTPS_PROXY": proxy.url}
	r := remote{
		ConnectionString: fmt.Sprintf("DefaultEndpointsProtocol=https;AccountName=%s;AccountKey=%s;BlobEndpoint=https://%s/%s;",
			server.AccountName, server.AccountKey, blobHost, server.AccountName),
		Container: server.ContainerName, Azure: DefaultConfig().Azure,
	}
	if got := runRemotely(t, r, env); !strings.Contains(got, "certificate") {
		t.Errorf("without the authority: %s", got)
	}
	r.CAFile = ca.CAFile
	if got := runRemotely(t, r, map[string]string{"HTTPS_PROXY": strings.Replace(proxy.url, "secret", "wrong", 1)}); !strings.Contains(got, "Proxy Authentication Required") || strings.Contains(got, "wrong") {
		t.Errorf("with a wrong password: %s", got)
	}
	if got := runRemotely(t, r, env); got != "<nil>\n" {
		t.Errorf("publish: %s", got)
	}
	if got := proxy.asked(); got != blobHost+":443" {
		t.Errorf("the proxy was asked for %q", got)
	}
	one(t, contents(t, azureConfig(server, server.Addr), ""))
}

// A pod's service-account token is exchanged for one for the storage, through
// the same proxy and trusting the same authority.
func TestAzureWorkloadIdentity(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.Azurite(t)
	ca := testenv.CA(t)
	const assertion, token, tenant, client = "pod-assertion", "storage-token", "11111111-2222-3333-4444-555555555555", "the-client"
	rights, err := url.Parse(sasURL(t, server, sas.ContainerPermissions{Read: true, Create: true, Write: true}, time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	blobs := forwardTo(server.Addr, func(r *http.Request) {
		r.Header.Del("Authorization") // Azurite would need https for it
		q := r.URL.Query()
		maps.Copy(q, rights.Query())
		r.URL.RawQuery = q.Encode()
	})
	addr := tlsFront(t, ca, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := func(v any) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(v); err != nil {
				t.Error(err)
			}
		}
		base := "https://" + loginHost + "/" + tenant
		switch {
		case r.Host == blobHost && r.Header.Get("Authorization") == "Bearer "+token:
			blobs.ServeHTTP(w, r)
		case r.Host == loginHost && strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
			reply(map[string]string{
				"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			})
		case r.Host == loginHost && strings.HasSuffix(r.URL.Path, "/token"):
			if r.FormValue("client_assertion") != assertion || r.FormValue("client_id") != client {
				w.WriteHeader(http.StatusBadRequest)
				reply(map[string]string{"error": "invalid_client", "error_description": "AADSTS700211: no such assertion"})
				return
			}
			reply(map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": token})
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	proxy := newConnectProxy(t, addr)
	file := filepath.Join(t.TempDir(), "token")
	env := map[string]string{
		"HTTPS_PROXY": proxy.url, "AZURE_AUTHORITY_HOST": "https://" + loginHost + "/", "AZURE_TENANT_ID": tenant,
		"AZURE_CLIENT_ID": client, "AZURE_FEDERATED_TOKEN_FILE": file,
	}
	for _, identity := range []Identity{IdentityWorkload, IdentityDefault} {
		r := remote{
			URL: "https://" + blobHost + "/" + server.AccountName, Container: server.ContainerName, CAFile: ca.CAFile,
			Azure: Azure{AzureIdentity: AzureIdentity{Identity: identity, DisableInstanceDiscovery: true}},
		}
		env["AZURE_TOKEN_CREDENTIALS"] = "WorkloadIdentityCredential"
		if err := os.WriteFile(file, []byte("rotten"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := runRemotely(t, r, env); !strings.Contains(got, "no token") || strings.Contains(got, "rotten") {
			t.Errorf("%s, refused: %s", identity, got)
		}
		if err := os.WriteFile(file, []byte(assertion), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := runRemotely(t, r, env); got != "<nil>\n" {
			t.Errorf("%s: publish: %s", identity, got)
		}
	}
	one(t, contents(t, azureConfig(server, server.Addr), ""))
	if got := proxy.asked(); got != loginHost+":443 "+blobHost+":443" {
		t.Errorf("the proxy was asked for %q", got)
	}
}
