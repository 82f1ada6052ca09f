package ingest

import (
	"bytes"
	"context"
	stdlog "log"
	"log/slog"
	"net/http"
	"time"
)

// Timeouts are what a slow client is given. Zero fields take the defaults that
// NewServer documents.
type Timeouts struct {
	// ReadHeader is for the request's headers, Read for headers and body.
	ReadHeader, Read time.Duration
	// Write runs from the end of the headers to the end of the answer, so it
	// covers the reading of the body and the waiting for the log as well. A handler
	// that streams lifts it for itself (http.ResponseController).
	Write time.Duration
	// Idle is for the next request on a connection.
	Idle time.Duration
}

// maxHeaderBytes bounds a request's line and headers; net/http adds 4 kB and answers 431 beyond.
const maxHeaderBytes = 32 << 10

// NewServer returns a server for h that no slow or endless client can hold up:
// headers within 5 s and 32 KiB, body within 20 s, answer within 30 s, idle for
// 60 s at most. It speaks HTTP/1 alone. Its complaints about clients that broke off go to
// log at debug level, a panic of a handler at error level. It is not started.
func NewServer(h http.Handler, t Timeouts, log *slog.Logger) *http.Server {
	or := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: or(t.ReadHeader, 5*time.Second),
		ReadTimeout:       or(t.Read, 20*time.Second),
		WriteTimeout:      or(t.Write, 30*time.Second),
		IdleTimeout:       or(t.Idle, 60*time.Second),
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		ConnContext:       withConn,
		ConnState:         watchAgain,
		ErrorLog:          stdlog.New(complaints{log}, "", 0),
	}
}

// complaints takes net/http's own log lines.
type complaints struct{ log *slog.Logger }

func (c complaints) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.Contains(line, []byte("panic")) {
		level = slog.LevelError
	}
	c.log.LogAttrs(context.Background(), level, "http server", slog.String("said", string(bytes.TrimSpace(line))))
	return len(line), nil
}
