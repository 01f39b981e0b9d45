package cloudapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

const maxFaultsBody = 16 << 10

// getFaults is GET /admin/faults.
func (s *Server) getFaults(w http.ResponseWriter, r *http.Request) error {
	faults, lies, err := s.store.confess(r.Context())
	if err != nil {
		return err
	}
	told := struct {
		Faults Faults       `json:"faults"`
		Lies   []confession `json:"lies"`
	}{faults, make([]confession, len(lies))}
	for i := range lies {
		told.Lies[i] = lies[i].confess()
	}
	answer(w, http.StatusOK, "application/json", told)
	return nil
}

// putFaults is PUT /admin/faults.
func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r.Body, r.Header.Get("Content-Encoding"), maxFaultsBody)
	if err != nil {
		return err
	}
	var f Faults
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return refuse(http.StatusBadRequest, "the faults cannot be read: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "the faults cannot be read: something follows them")
	}
	if err := f.Validate(); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if err := s.store.setFaults(r.Context(), f); err != nil {
		return err
	}
	return s.getFaults(w, r)
}
