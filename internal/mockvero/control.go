package mockvero

import (
	"io"
	"net/http"
)

// serveControl answers what the mock has beside Vero's API.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /mock/faults":
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
		if err != nil {
			answer(w, http.StatusBadRequest, "the body cannot be read")
			return
		}
		fault, err := readFault(raw)
		if err != nil {
			answer(w, http.StatusBadRequest, err.Error())
			return
		}
		s.Fault(fault)
		answer(w, http.StatusOK, "Success.")
	case "DELETE /mock/faults":
		s.ClearFaults()
		answer(w, http.StatusOK, "Success.")
	case "GET /mock/calls":
		writeJSON(w, http.StatusOK, s.Calls())
	case "GET /mock/state":
		writeJSON(w, http.StatusOK, s.Effects())
	default:
		answer(w, http.StatusNotFound, "Not Found")
	}
}
