package pgurl

import (
	"fmt"
	"strings"
)

// noTLS is what pgx says of a server without TLS. It has no error of its own for
// that.
const noTLS = "server refused TLS connection"

// Explain adds what to do to the error of a connect that failed because the server
// has no TLS, and returns any other error, and nil, as it is.
func Explain(err error) error {
	if err == nil || !strings.Contains(err.Error(), noTLS) {
		return err
	}
	return fmt.Errorf("%w (write ?sslmode=disable behind the address for a server without TLS)", err)
}
