package admin

import "net/http"

// healthz says that the server serves, which the answer itself proves.
func (s *service) healthz(w http.ResponseWriter, _ *http.Request) { writeOK(w) }

// readyz says whether keys can be judged now. The cause of a no is for the log.
func (s *service) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.ready(r.Context()); err != nil {
		p := newProblem(codeNotReady, "the gate cannot do its work now: retry later, or see its log")
		p.retryAfter, p.cause = retryAfterUnavailable, err
		s.writeProblem(w, r, p)
		return
	}
	writeOK(w)
}

func writeOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the caller is gone otherwise
}
