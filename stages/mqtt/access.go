package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// access is what both stages need to reach a broker and be let in.
type access struct {
	url            feed.URL
	username       string
	password       feed.Secret
	auth           Auth
	tls            TLSConfig
	keepAlive      time.Duration
	connectTimeout time.Duration
	clientID       string
	log            *slog.Logger
	events         *feed.EventCounts
}

// validate reports what is wrong with the keys that both stages have.
func (a access) validate(bad func(key, problem, remedy string)) {
	a.validateAddress(bad)
	a.auth.validate(bad)
	if why := textProblem(a.clientID); why != "" {
		bad("clientId", "the client identifier "+why, "use letters, digits and dashes")
	}
	if why := textProblem(a.username); why != "" {
		bad("username", "the user name "+why, "")
	}
	if a.connectTimeout <= 0 {
		bad("connectTimeout", "a connect needs some time", "write a duration such as 10s")
	}
}

func (a access) validateAddress(bad func(key, problem, remedy string)) {
	if (a.tls.CertFile == "") != (a.tls.KeyFile == "") {
		bad("tls", "a client certificate needs its key, and a key its certificate", "give both certFile and keyFile, or neither")
	}
	if a.url.IsZero() {
		bad("url", "no broker given", "write an address such as mqtt://broker:1883")
		return
	}
	to, err := parseAddress(a.url)
	if err != nil {
		// A secret file may be missing where a configuration is only checked.
		if !errors.As(err, new(*fs.PathError)) {
			bad("url", err.Error(), "write an address such as mqtt://broker:1883 or mqtts://broker:8883")
		}
		return
	}
	if !to.tls && a.tls != (TLSConfig{}) {
		bad("tls", "certificates are given for a connection without TLS", "write an mqtts:// address, or remove the section")
	}
	if to.hasUser && (a.username != "" || !a.password.IsZero()) {
		bad("url", "the URL and the keys username and password both say who connects", "use one of the two")
	}
	if !to.hasUser && a.username == "" && !a.password.IsZero() {
		bad("username", "a password is given without a user name", "add the user name")
	}
}

// hello makes the CONNECT packet, without what the stages differ in. It reads
// the credentials anew.
func (a access) hello(to address) (*packets.Connect, error) {
	p := packets.NewControlPacket(packets.CONNECT).Content.(*packets.Connect)
	p.ClientID = a.clientID
	p.KeepAlive = uint16(a.keepAlive / time.Second)
	problems := byte(1)
	p.Properties.RequestProblemInfo = &problems

	username, password := to.username, to.password
	hasUser, hasPassword := to.hasUser, to.hasPass
	if !hasUser {
		text, err := a.password.Reveal()
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		username, password = a.username, text
		hasUser, hasPassword = username != "", !a.password.IsZero()
	}
	if why := textProblem(username); why != "" {
		return nil, errors.New("the user name " + why)
	}
	if len(password) > math.MaxUint16 {
		return nil, errors.New("the password is longer than the 65535 bytes that MQTT takes")
	}
	p.Username, p.UsernameFlag = username, hasUser
	p.Password, p.PasswordFlag = []byte(password), hasPassword
	if a.auth.Method == AuthServiceAccountToken {
		token, err := readToken(a.auth.file())
		if err != nil {
			return nil, err
		}
		p.Properties.AuthMethod, p.Properties.AuthData = serviceAccountToken, token
	}
	return p, nil
}

// renewal keeps the token that a CONNECT has borne fresh, if it has.
func (a access) renewal(hello *packets.Connect) *renewal {
	if hello.Properties.AuthMethod == "" {
		return nil
	}
	return &renewal{file: a.auth.file(), log: a.log, events: a.events, sent: bytes.Clone(hello.Properties.AuthData)}
}
