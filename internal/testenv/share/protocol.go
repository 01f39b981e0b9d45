package share

// Servers that can be shared.
const (
	RabbitMQ   = "rabbitmq"
	PostgreSQL = "postgresql"
	Azurite    = "azurite"
)

// request is what a client sends, as a line of JSON, right after it connected. It then keeps the connection open for as
// long as it uses the server.
type request struct {
	Server string `json:"server"`
}

// Grant says how to reach a shared server.
type Grant struct {
	Addr     string `json:"addr"`          // host and port
	API      string `json:"api,omitempty"` // base URL of RabbitMQ's HTTP API
	User     string `json:"user"`          // or the account's name
	Password string `json:"password"`      // or the account's key
}

// reply is what the host answers, once, when the server is ready.
type reply struct {
	Grant Grant  `json:"grant"`
	Error string `json:"error,omitempty"`
}
