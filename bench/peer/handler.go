// Package peer is what Tidemark is measured against: net/http handlers that
// verify the same signature over the raw body and then store nothing, or store
// the webhook in PostgreSQL the way a careful team would.
//
// Guarantee: a 200 of a storing handler means that PostgreSQL acknowledged the
// commit, with fsync and synchronous_commit on. Where a choice had to be made
// it favours the peer: the delivery id is found without parsing the JSON,
// the body is stored as bytes, and nothing is projected from it.
//
// Flow: main starts one in a process of its own; load sends to it.
package peer

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/bench/webhook"
)

// Store keeps a webhook. It returns when the webhook is durable.
type Store interface {
	Keep(ctx context.Context, id string, body []byte) error
}

// Nothing is the Store that keeps nothing.
type Nothing struct{}

// Keep returns at once.
func (Nothing) Keep(context.Context, string, []byte) error { return nil }

const maxBody = 1 << 20

// handler takes POST /in/makini.
type handler struct {
	store Store
	macs  sync.Pool
	// bodies holds read buffers, so that no side pays for garbage the others avoid.
	bodies sync.Pool
}

// Handler returns the handler that verifies a webhook and gives it to a store.
func Handler(s Store) http.Handler {
	h := &handler{store: s}
	h.macs.New = func() any { return hmac.New(sha256.New, []byte(webhook.Secret)) }
	h.bodies.New = func() any { return new(bytes.Buffer) }
	mux := http.NewServeMux()
	mux.Handle("POST "+webhook.Path, h)
	return mux
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buffer := h.bodies.Get().(*bytes.Buffer)
	defer h.bodies.Put(buffer)
	buffer.Reset()
	if _, err := io.Copy(buffer, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		http.Error(w, "body too large or cut off", http.StatusRequestEntityTooLarge)
		return
	}
	body := buffer.Bytes()
	if !h.authentic(r.Header.Get(webhook.SignatureHeader), body) {
		http.Error(w, "not authentic", http.StatusUnauthorized)
		return
	}
	id, err := deliveryID(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := h.store.Keep(r.Context(), id, body); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"id":"`+id+`"}`)
}

func (h *handler) authentic(signature string, body []byte) bool {
	given, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := h.macs.Get().(hash.Hash)
	defer h.macs.Put(mac)
	mac.Reset()
	mac.Write(body)
	var sum [sha256.Size]byte
	return hmac.Equal(given, mac.Sum(sum[:0]))
}

var idField = []byte(`"id":"`)

func deliveryID(body []byte) (string, error) {
	_, after, found := bytes.Cut(body, idField)
	id, _, closed := bytes.Cut(after, []byte(`"`))
	if !found || !closed {
		return "", errors.New("no id")
	}
	return string(id), nil
}

// Serve answers on a free loopback port until ctx ends, and prints the line
// `listening on http://ADDR` to out when it is ready.
func Serve(ctx context.Context, s Store, out io.Writer) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: Handler(s), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		server.Close()
		return nil
	}
}
