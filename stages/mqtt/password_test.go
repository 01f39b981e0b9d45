package mqtt

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
)

// mosquittoPassword returns a line of a password_file, in Mosquitto's format 7.
func mosquittoPassword(user, password string) string {
	const rounds = 101
	salt := []byte("0123456789ab")
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, 64)
	if err != nil {
		panic(err) // the arguments are constants
	}
	return fmt.Sprintf("%s:$7$%d$%s$%s\n", user, rounds, base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(key))
}
