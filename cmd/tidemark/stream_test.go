package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A list that breaks off in the middle is an error, in every format: what was
// printed must not be taken for all there is.
func TestAListThatBreaksOff(t *testing.T) {
	for name, end := range map[string]func(http.ResponseWriter){
		"cut": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"cut in a line": func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"source":"makini","conn`)
			flush(w)
			panic(http.ErrAbortHandler)
		},
		"end in a line":  func(w http.ResponseWriter) { fmt.Fprint(w, `{"source":"makini","conn`) },
		"another answer": func(w http.ResponseWriter) { fmt.Fprintln(w, "<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("format") != "jsonl" || r.URL.Query().Has("limit") {
					t.Errorf("asked for %s", r.URL)
				}
				fmt.Fprintln(w, `{"source":"makini","connection":"a","health":"healthy"}`)
				flush(w)
				end(w)
			}))
			defer s.Close()
			for _, format := range []string{"json", "jsonl", "csv", "table"} {
				var stdout, stderr bytes.Buffer
				a := &app{stdout: &stdout, stderr: &stderr, environ: func(string) (string, bool) { return "", false }, now: time.Now, self: "tidemark"}
				code := a.run(context.Background(), []string{"connections", "--server", s.URL, "-o", format, "--limit", "0"})
				if code != exitError || !strings.HasPrefix(stderr.String(), "tidemark: ") {
					t.Errorf("-o %s ends with %d and says %q", format, code, stderr.String())
				}
				if format == "json" && strings.HasSuffix(strings.TrimSpace(stdout.String()), "]") {
					t.Errorf("-o json prints something whole: %s", stdout.String())
				}
			}
		})
	}
}

func flush(w http.ResponseWriter) { w.(http.Flusher).Flush() }
