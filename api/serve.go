package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
)

// ServeHTTP answers one request: it names it, sets the headers that keep
// browsers from doing anything with the answer but show it, and measures it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.o.Now()
	id := requestIDOf(r)
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
	head := w.Header()
	head.Set("X-Request-Id", id)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")

	out := &recorder{ResponseWriter: w}
	rt := h.routes.find(r)
	defer func() {
		if failure := recover(); failure != nil {
			h.recovered(out, r, rt.pattern, failure)
		}
		h.metrics.seconds.WithLabelValues(rt.pattern, strconv.Itoa(out.code())).Observe(h.o.Now().Sub(began).Seconds())
	}()
	if h.o.OnlyLocal && !localHost(r.Host) {
		writeProblem(out, r, &Problem{Status: http.StatusMisdirectedRequest, Code: CodeMisdirected,
			Detail: "Without API keys this server answers only under a name of this machine, such as 127.0.0.1 or localhost."})
		return
	}
	rt.handler.ServeHTTP(out, r)
}

// recovered answers for a handler that panicked; the server lives on.
func (h *Handler) recovered(out *recorder, r *http.Request, pattern string, failure any) {
	err, _ := failure.(error)
	if errors.Is(err, http.ErrAbortHandler) || out.gone || r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is left to be told
	}
	h.o.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed",
		slog.String("route", pattern), slog.String("code", CodeInternal), slog.String("request_id", requestID(r.Context())),
		slog.String("error", fmt.Sprint(failure)), slog.String("stack", string(debug.Stack())))
	if out.status != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	writeProblem(out, r, problemOf(fmt.Errorf("panic")))
}

// recorder remembers how an answer went.
type recorder struct {
	http.ResponseWriter
	status int
	gone   bool // the client, before it had the whole answer
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.gone = r.gone || err != nil
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

type requestKey struct{}

// requestID returns the id of the request that ctx belongs to.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// requestIDOf returns the id that a proxy gave the request, if it is a plain
// word of at most 64 letters, or a new one.
func requestIDOf(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.') {
			return rand.Text()
		}
	}
	return id
}

// localHost reports whether a Host header names this machine's loopback.
func localHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
