package cloudapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const realm = "readings"

// authorize returns the client whose token permits scope (RFC 6750).
func (s *Server) authorize(r *http.Request, scope Scope) (*account, error) {
	refused := func(status int, code, detail string) error {
		p := refuse(status, "%s", detail)
		p.challenge = fmt.Sprintf(`Bearer realm="%s"`, realm)
		if code != "" {
			p.challenge += fmt.Sprintf(`, error="%s", error_description="%s"`, code, detail)
		}
		if status == http.StatusForbidden {
			p.challenge += fmt.Sprintf(`, scope="%s"`, scope)
		}
		return p
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, refused(http.StatusUnauthorized, "", "there is no bearer token: get one from /oauth2/token")
	}
	var g grant
	if !s.sealer.open(purposeToken, token, &g) {
		return nil, refused(http.StatusUnauthorized, "invalid_token", "the token is not one of this server")
	}
	a, ok := s.accounts[g.Client]
	switch {
	case !s.options.Now().Before(g.Expires):
		return nil, refused(http.StatusUnauthorized, "invalid_token", "the token has expired: get another one")
	case !ok:
		return nil, refused(http.StatusUnauthorized, "invalid_token", "the client is no longer known")
	case !slices.Contains(g.Scopes, scope) || !slices.Contains(a.Scopes, scope):
		return nil, refused(http.StatusForbidden, "insufficient_scope", fmt.Sprintf("the token has not the scope %s", scope))
	}
	return a, nil
}
