package cloudapi

import (
	_ "embed" // the description
	"net/http"
)

//go:embed openapi.json
var description []byte

// openAPI is GET /openapi.json.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	send(w, http.StatusOK, "application/json", description)
	return nil
}
