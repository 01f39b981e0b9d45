package cloudapi

import (
	"net/http"
	"time"
)

// route is what the API answers to.
type route struct {
	method, path string
	scope        Scope // empty: anybody
	serve        func(http.ResponseWriter, *http.Request) error
}

func (s *Server) routes() []route {
	return []route{
		{"POST", "/oauth2/token", "", s.token},
		{"POST", "/v1/batches", ScopeWrite, s.deliver},
		{"GET", "/v1/readings", ScopeRead, s.listReadings},
		{"GET", "/v1/watermark", ScopeRead, s.getWatermark},
		{"GET", "/v1/devices", ScopeRead, s.listDevices},
		{"GET", "/admin/faults", ScopeAdmin, s.getFaults},
		{"PUT", "/admin/faults", ScopeAdmin, s.putFaults},
		{"GET", "/openapi.json", "", s.openAPI},
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.routes() {
		mux.HandleFunc(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) {
			err := s.admit(r, route.scope)
			if err == nil {
				err = route.serve(w, r)
			}
			if err == nil {
				return
			}
			p, own := problemOf(err)
			if own && r.Context().Err() == nil {
				s.options.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			p.write(w)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		mux.ServeHTTP(w, r)
	})
}

// admit decides whether a request is served, before anything of it is read.
func (s *Server) admit(r *http.Request, scope Scope) error {
	if scope == "" {
		return nil
	}
	a, err := s.authorize(r, scope)
	if err != nil || scope == ScopeAdmin {
		return err
	}
	if wait := a.bucket.take(s.options.Now()); wait > 0 {
		return refuse(http.StatusTooManyRequests, "more than %g requests a second", s.options.Rate).after(wait)
	}
	if n := s.store.unavailable(); n > 0 && s.admitted.Add(1)%uint64(n) == 0 {
		return refuse(http.StatusServiceUnavailable, "one in %d requests is answered so, as was asked for: try again", n).after(time.Second)
	}
	return nil
}
