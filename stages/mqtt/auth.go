package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// Auth says how a client proves who it is by other means than a user name, a
// password or a certificate: MQTT 5.0 §4.12, enhanced authentication.
type Auth struct {
	Method    AuthMethod `yaml:"method" doc:"Left out for none; k8s-sat for the service account token of a Kubernetes pod, as the broker of Azure IoT Operations takes it."`
	TokenFile string     `yaml:"tokenFile" doc:"File with the token; read at each connect, and sent again over the same connection when it has changed. The default is /var/run/secrets/tokens/broker-sat."`
}

// AuthMethod is a method of enhanced authentication.
type AuthMethod string

// Values returns all methods.
func (AuthMethod) Values() []string { return []string{string(AuthServiceAccountToken)} }

// AuthServiceAccountToken is K8S-SAT, of Azure IoT Operations.
const AuthServiceAccountToken AuthMethod = "k8s-sat"

const (
	// serviceAccountToken is the Authentication Method in packets.
	serviceAccountToken = "K8S-SAT"
	// projectedToken is where the token of a pod is mounted by convention.
	projectedToken = "/var/run/secrets/tokens/broker-sat" //nolint:gosec // G101: a path and no secret
	// maxToken is the largest Authentication Data.
	maxToken = 1<<16 - 1
	// maxTokenFile is how much of a file is read, with white space around the
	// token.
	maxTokenFile = maxToken + 4<<10
)

// file returns the path of the token.
func (a Auth) file() string {
	if a.TokenFile == "" {
		return projectedToken
	}
	return a.TokenFile
}

func (a Auth) validate(bad func(key, problem, remedy string)) {
	switch {
	case a.Method != "" && a.Method != AuthServiceAccountToken:
		bad("auth.method", fmt.Sprintf("%q is not known", string(a.Method)), "write k8s-sat, or leave it out")
	case a.Method == "" && a.TokenFile != "":
		bad("auth.tokenFile", "a token is given without a method", "write method: k8s-sat, or remove it")
	}
}

// readToken reads the token. Its errors name the file and never quote it.
func readToken(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read auth.tokenFile: %w", err)
	}
	defer f.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(io.LimitReader(f, maxTokenFile+1)); err != nil {
		return nil, fmt.Errorf("read auth.tokenFile: %w", err)
	}
	token := bytes.TrimSpace(raw.Bytes())
	switch {
	case len(token) > maxToken, raw.Len() > maxTokenFile:
		return nil, fmt.Errorf("read auth.tokenFile: %s has more than the %d bytes that MQTT takes", file, maxToken)
	case len(token) == 0:
		return nil, errors.New("read auth.tokenFile: " + file + " is empty")
	}
	return token, nil
}

// renewal keeps the token of a connection fresh. The kubelet replaces the file
// long before the token expires.
type renewal struct {
	file   string
	log    *slog.Logger
	events *feed.EventCounts
	// The watcher's own.
	sent   []byte // the token that was sent last
	unread bool   // the file could not be read, and this was logged
	// Guarded by the connection's lock.
	asked time.Time // when a new one was sent, while the answer is not there
}

// due returns the AUTH packet to send, if the token has changed.
func (r *renewal) due() ([]byte, error) {
	token, err := readToken(r.file)
	r.note(err)
	if err != nil || bytes.Equal(token, r.sent) {
		return nil, nil //nolint:nilerr // the token that was sent may still be good: it is the broker's to say
	}
	r.sent = token
	return reauthenticate(token)
}

// note logs that the token cannot be read, once until it can.
func (r *renewal) note(err error) {
	if err != nil && !r.unread {
		r.log.Warn("the token cannot be read", "error", err)
	}
	r.unread = err != nil
}

// reauthenticate returns the AUTH packet that bears a new token.
func reauthenticate(token []byte) ([]byte, error) {
	var p bytes.Buffer
	_, err := (&packets.Auth{
		ReasonCode: packets.AuthReauthenticate,
		Properties: &packets.Properties{AuthMethod: serviceAccountToken, AuthData: token},
	}).WriteTo(&p)
	if err != nil {
		return nil, fmt.Errorf("encode AUTH: %w", err)
	}
	return p.Bytes(), nil
}

// answered takes the broker's AUTH. A refusal comes as DISCONNECT.
func (r *renewal) answered(body []byte) error {
	if r == nil || r.asked.IsZero() {
		return fmt.Errorf("%w: AUTH without being asked", errProtocol)
	}
	answer := packets.Auth{Properties: &packets.Properties{}}
	if err := answer.Unpack(bytes.NewBuffer(body)); err != nil {
		return fmt.Errorf("%w: AUTH: %w", errProtocol, err)
	}
	if answer.ReasonCode != packets.AuthSuccess {
		return fmt.Errorf("the broker does not take the new token: %w",
			&ReasonError{Packet: "AUTH", Code: answer.ReasonCode, Text: bounded(answer.Properties.ReasonString)})
	}
	if m := answer.Properties.AuthMethod; m != "" && !strings.EqualFold(m, serviceAccountToken) {
		return fmt.Errorf("%w: AUTH with method %s", errProtocol, clip(m))
	}
	r.asked = time.Time{}
	r.events.Add(eventTokenRenewed, 1)
	r.log.Info("the broker has taken a new token")
	return nil
}
