package embedded_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/kraft-edge/datafeed/internal/embedded"
)

// present connects with a token, by the authentication method of the broker.
func present(t *testing.T, b *embedded.Broker, id, token string) (client *paho.Client, lost <-chan *paho.Disconnect, err error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan *paho.Disconnect, 1)
	client = paho.NewClient(paho.ClientConfig{
		Conn: conn, AuthHandler: silent{},
		OnServerDisconnect: func(d *paho.Disconnect) { ended <- d },
	})
	_, err = client.Connect(t.Context(), &paho.Connect{
		ClientID: id, CleanStart: true,
		Properties: &paho.ConnectProperties{AuthMethod: "K8S-SAT", AuthData: []byte(token)},
	})
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	t.Cleanup(func() {
		_ = client.Disconnect(&paho.Disconnect{}) // the broker may have gone already
		<-client.Done()
		_ = conn.Close()
	})
	return client, ended, nil
}

// silent has nothing to add to a token.
type silent struct{}

func (silent) Authenticate(*paho.Auth) *paho.Auth { return nil }
func (silent) Authenticated()                     {}

func renew(t *testing.T, c *paho.Client, token string) error {
	t.Helper()
	_, err := c.Authenticate(t.Context(), &paho.Auth{
		ReasonCode: 0x19, Properties: &paho.AuthProperties{AuthMethod: "K8S-SAT", AuthData: []byte(token)},
	})
	return err
}

func TestTokens(t *testing.T) {
	tokens := embedded.NewTokens("one")
	b, err := embedded.StartWithTokens(tokens)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, _, err := present(t, b, "stranger", "other"); err == nil {
		t.Fatal("a token that nobody knows is let in")
	}
	keen, keenEnds, err := present(t, b, "keen", "one")
	if err != nil {
		t.Fatal(err)
	}
	_, lazyEnds, err := present(t, b, "lazy", "one")
	if err != nil {
		t.Fatal(err)
	}
	tokens.Accept("two")
	if err := renew(t, keen, "two"); err != nil {
		t.Fatal(err)
	}
	if one, two := tokens.Holders("one"), tokens.Holders("two"); one != 1 || two != 1 {
		t.Errorf("%d hold the first token, %d the second", one, two)
	}
	if n := tokens.Revoke("one"); n != 1 {
		t.Errorf("%d were disconnected, want 1", n)
	}
	select {
	case d := <-lazyEnds:
		if d.ReasonCode != 0x87 {
			t.Errorf("reason code 0x%02X", d.ReasonCode)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the holder of a revoked token stays")
	}
	select {
	case d := <-keenEnds:
		t.Errorf("the holder of the new token was disconnected: %v", d)
	default:
	}
	if _, _, err := present(t, b, "late", "one"); err == nil {
		t.Error("a revoked token is let in")
	}
}
