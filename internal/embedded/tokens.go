package embedded

import (
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// serviceAccountToken is the authentication method of Azure IoT Operations.
const serviceAccountToken = "K8S-SAT"

// Tokens are the service account tokens with which a broker lets clients in:
// MQTT 5 enhanced authentication with the method K8S-SAT. Safe for concurrent
// use.
type Tokens struct {
	mu      sync.Mutex
	server  *mqtt.Server
	valid   map[string]bool
	holders map[*mqtt.Client]string
}

// NewTokens returns a set of valid tokens.
func NewTokens(valid ...string) *Tokens {
	t := &Tokens{valid: map[string]bool{}, holders: map[*mqtt.Client]string{}}
	for _, token := range valid {
		t.valid[token] = true
	}
	return t
}

// Accept makes a token valid.
func (t *Tokens) Accept(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.valid[token] = true
}

// Revoke makes a token invalid, as its expiry would, and disconnects the clients
// that have shown no other since. It returns how many there were.
func (t *Tokens) Revoke(token string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.valid, token)
	n := 0
	for client, held := range t.holders {
		if held == token {
			n++
			// The error says that it was disconnected.
			_ = t.server.DisconnectClient(client, packets.ErrNotAuthorized)
		}
	}
	return n
}

// Holders returns how many clients are connected whose last token is this one.
func (t *Tokens) Holders(token string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, held := range t.holders {
		if held == token {
			n++
		}
	}
	return n
}

// show notes the token that a client shows, if it is valid.
func (t *Tokens) show(c *mqtt.Client, pk packets.Packet) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	token := string(pk.Properties.AuthenticationData)
	if pk.Properties.AuthenticationMethod != serviceAccountToken || !t.valid[token] {
		return false
	}
	t.holders[c] = token
	return true
}

func (t *Tokens) leave(c *mqtt.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.holders, c)
}

// doorkeeper is the hook that lets in who shows a token.
type doorkeeper struct {
	mqtt.HookBase
	tokens *Tokens
}

// ID implements mqtt.Hook.
func (*doorkeeper) ID() string { return "doorkeeper" }

// Provides implements mqtt.Hook.
func (*doorkeeper) Provides(event byte) bool {
	switch event {
	case mqtt.OnConnectAuthenticate, mqtt.OnAuthPacket, mqtt.OnDisconnect:
		return true
	}
	return false
}

// OnConnectAuthenticate lets in who shows a valid token.
func (d *doorkeeper) OnConnectAuthenticate(c *mqtt.Client, pk packets.Packet) bool {
	return d.tokens.show(c, pk)
}

// OnAuthPacket takes a new token from a client that is connected.
func (d *doorkeeper) OnAuthPacket(c *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.ReasonCode != packets.CodeReAuthenticate.Code || !d.tokens.show(c, pk) {
		return pk, packets.ErrNotAuthorized
	}
	return pk, c.WritePacket(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Auth},
		ReasonCode:  packets.CodeSuccess.Code,
		Properties:  packets.Properties{AuthenticationMethod: serviceAccountToken},
	})
}

// OnDisconnect forgets a client.
func (d *doorkeeper) OnDisconnect(c *mqtt.Client, _ error, _ bool) { d.tokens.leave(c) }
