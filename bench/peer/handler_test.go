package peer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/bench/webhook"
)

type kept struct {
	ids  []string
	fail error
}

func (k *kept) Keep(_ context.Context, id string, _ []byte) error {
	if k.fail == nil {
		k.ids = append(k.ids, id)
	}
	return k.fail
}

func post(t *testing.T, s Store, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	raw := webhook.Single("127.0.0.1:1", "whk_1", "conn_1", time.Unix(1_700_000_000, 0))
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	w := httptest.NewRecorder()
	Handler(s).ServeHTTP(w, r)
	return w
}

func TestAnAuthenticWebhookIsKeptAndAcknowledged(t *testing.T) {
	s := new(kept)
	w := post(t, s, func(*http.Request) {})
	if w.Code != 200 || w.Body.String() != `{"id":"whk_1"}` || len(s.ids) != 1 || s.ids[0] != "whk_1" {
		t.Errorf("answer %d %s, kept %v", w.Code, w.Body, s.ids)
	}
}

func TestAForgedWebhookIsNot(t *testing.T) {
	for _, signature := range []string{"", "zz", "00", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"} {
		s := new(kept)
		w := post(t, s, func(r *http.Request) { r.Header.Set(webhook.SignatureHeader, signature) })
		if w.Code != 401 || len(s.ids) != 0 {
			t.Errorf("signature %q: answer %d, kept %v", signature, w.Code, s.ids)
		}
	}
}

func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	w := post(t, &kept{fail: errors.New("no connection")}, func(*http.Request) {})
	if w.Code != 503 {
		t.Errorf("answer %d, want 503", w.Code)
	}
}
