package cloudapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// sealer makes texts that only it can make: what clients are given to bring
// back unchanged.
type sealer struct{ key []byte }

// keySize is the length of a sealer's key in bytes.
const keySize = sha256.Size

// macSize is what a forger has to guess, in bytes.
const macSize = 16

// The purposes of sealed texts: one made for one is no good for another.
const (
	purposeToken    = "token"
	purposeReadings = "readings"
	purposeDevices  = "devices"
)

var sealedText = base64.RawURLEncoding.Strict()

// seal returns v as an opaque text for use in URLs and headers.
func (s sealer) seal(purpose string, v any) (string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return sealedText.EncodeToString(append(body, s.mac(purpose, body)...)), nil
}

// open reads what seal has made for the same purpose into v. ok is false for
// any other text.
func (s sealer) open(purpose, text string, v any) (ok bool) {
	sealed, err := sealedText.DecodeString(text)
	if err != nil || len(sealed) < macSize {
		return false
	}
	body, mac := sealed[:len(sealed)-macSize], sealed[len(sealed)-macSize:]
	return hmac.Equal(mac, s.mac(purpose, body)) && json.Unmarshal(body, v) == nil
}

func (s sealer) mac(purpose string, body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(purpose + "\x00"))
	h.Write(body)
	return h.Sum(nil)[:macSize]
}
