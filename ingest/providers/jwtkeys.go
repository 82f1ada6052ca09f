package providers

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds on the keys of one source. A key id comes from the request, so a stranger
// chooses it: what that can cost is a few requests a minute, and never a key that is known.
const (
	maxKeys    = 64               // known ones, and failures that are remembered
	maxWaiting = 256              // requests that wait for one key
	freshKey   = time.Hour        // after that a key is fetched anew, to see that it is still good
	staleKey   = 24 * time.Hour   // until then it serves where that fails
	retryKey   = 10 * time.Second // between two fetches of one key
	askBurst   = 6                // fetches of unknown keys at once …
	askEvery   = 10 * time.Second // … and one more after each of these
)

// keyring is the public keys of a sender, by their ids. Safe for concurrent use.
// It holds its lock for no request: one caller fetches a key, the others who need
// that key wait for it, or go on with the one that they have.
type keyring struct {
	from    *keyFetch
	secrets []Secret
	through http.RoundTripper

	mu      sync.Mutex
	entries map[string]*keyEntry
	unknown *rate.Limiter
}

// keyEntry is what is known of one key id.
type keyEntry struct {
	key     *ecdsa.PublicKey // nil: no fetch has succeeded
	expired bool             // the sender signs nothing new with it
	learnt  time.Time        // of key and expired
	err     error            // of the last fetch
	retry   time.Time        // before that it is not fetched again
	fetched chan struct{}    // closed when the fetch under way ends; nil: none is
	waiting int
}

func newKeyring(from *keyFetch, secrets []Secret, through http.RoundTripper) (*keyring, error) {
	for i, s := range secrets {
		if _, err := from.split(s); err != nil {
			return nil, fmt.Errorf("secret %d of %d %w", i+1, len(secrets), err)
		}
	}
	return &keyring{from: from, secrets: secrets, through: through, entries: map[string]*keyEntry{}, unknown: rate.NewLimiter(rate.Every(askEvery), askBurst)}, nil
}

// get returns the key of that id. It may take as long as a fetch (fetchTimeout).
// Where the key cannot be had, that is ErrKeysUnavailable; an expired one is ErrBadSignature.
func (k *keyring) get(kid string, now time.Time) (*ecdsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.entries[kid]
	if (e == nil || e.key == nil && e.due(now)) && !k.unknown.AllowN(now, 1) {
		return nil, fmt.Errorf("%w: too many unknown keys were asked for, the last is %q", ErrKeysUnavailable, cut(kid, 64))
	}
	if e == nil {
		e = k.add(kid)
	}
	switch {
	case e.due(now):
		k.refresh(e, kid, now)
	case e.fetched != nil && !e.serves(now):
		if e.waiting >= maxWaiting {
			return nil, fmt.Errorf("%w: too many requests wait for the key %q", ErrKeysUnavailable, cut(kid, 64))
		}
		e.waiting++
		done := e.fetched
		k.mu.Unlock()
		<-done
		k.mu.Lock()
		e.waiting--
	}
	switch {
	case e.expired:
		return nil, fmt.Errorf("%w: the key %q has expired, and the sender signs nothing new with it", ErrBadSignature, cut(kid, 64))
	case !e.serves(now):
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, e.err)
	}
	return e.key, nil
}

// serves reports whether the key is known and not too old.
func (e *keyEntry) serves(now time.Time) bool {
	return e.key != nil && now.Sub(e.learnt) <= staleKey
}

// due reports whether the caller is to fetch the key now.
func (e *keyEntry) due(now time.Time) bool {
	if e.fetched != nil || now.Before(e.retry) {
		return false
	}
	return e.key == nil || !e.expired && now.Sub(e.learnt) > freshKey
}

// refresh fetches the key, with the lock given up meanwhile.
func (k *keyring) refresh(e *keyEntry, kid string, now time.Time) {
	e.fetched, e.err = make(chan struct{}), errors.New("the fetch was broken off")
	e.retry = now.Add(retryKey)
	var got fetchedKey
	var err error
	defer func() { // also where the transport panics: nobody may wait for ever
		close(e.fetched)
		e.fetched = nil
	}()
	func() {
		k.mu.Unlock()
		defer k.mu.Lock()
		got, err = k.from.fetch(k.through, k.secrets, kid)
	}()
	if e.err = err; err == nil {
		e.key, e.expired, e.learnt = got.key, got.expired, now
	}
}

// add makes room for one more key id: first of what failed, then of what is oldest.
func (k *keyring) add(kid string) *keyEntry {
	if len(k.entries) >= maxKeys {
		var oldest *keyEntry
		at := ""
		for id, e := range k.entries {
			if e.fetched == nil && (oldest == nil || e.goesBefore(oldest)) {
				oldest, at = e, id
			}
		}
		delete(k.entries, at)
	}
	e := &keyEntry{}
	k.entries[kid] = e
	return e
}

// goesBefore orders entries by how little they are worth.
func (e *keyEntry) goesBefore(o *keyEntry) bool {
	if failed := e.key == nil; failed != (o.key == nil) {
		return failed
	}
	return e.retry.Before(o.retry)
}
