package keys

import (
	"context"
	"errors"
	"net/http"
)

type contextKey struct{}

// From returns the key that Require let the request in with; false on a
// server without keys.
func From(ctx context.Context) (Key, bool) {
	k, ok := ctx.Value(contextKey{}).(Key)
	return k, ok
}

// Require lets through to next what carries a key of that scope. Without a
// ring (nil) it lets everything through: a server that listens on loopback and has no keys.
// Answers are RFC 9457 problems: 401 (code "unauthorized") without a known key,
// with WWW-Authenticate; 403 (code "forbidden") where the key's scope does not do.
func Require(ring *Ring, scope Scope, next http.Handler) http.Handler {
	if ring == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, err := ring.Authenticate(r.Header.Get("Authorization"))
		switch {
		case errors.Is(err, ErrNoKey):
			refuse(w, http.StatusUnauthorized, `Bearer realm="tidemark"`,
				`{"type":"about:blank","title":"Unauthorized","status":401,"code":"unauthorized","detail":"This server asks for an API key: send it as Authorization: Bearer KEY."}`)
		case err != nil:
			refuse(w, http.StatusUnauthorized, `Bearer realm="tidemark", error="invalid_token"`,
				`{"type":"about:blank","title":"Unauthorized","status":401,"code":"unauthorized","detail":"The API key is not valid here. It may have been revoked, or not copied whole."}`)
		case !k.Scope.Allows(scope):
			refuse(w, http.StatusForbidden, `Bearer realm="tidemark", error="insufficient_scope", scope="`+string(scope)+`"`,
				`{"type":"about:blank","title":"Forbidden","status":403,"code":"forbidden","detail":"The API key is valid, but its scope does not allow this. It takes a key with scope `+string(scope)+`."}`)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, k)))
		}
	})
}

func refuse(w http.ResponseWriter, status int, challenge, body string) {
	h := w.Header()
	h.Set("WWW-Authenticate", challenge)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n")) // a sender that is gone needs no answer
}
