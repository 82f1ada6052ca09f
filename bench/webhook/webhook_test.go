package webhook

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

func corpus() Corpus {
	return Corpus{Seed: 7, Connections: 100, Size: 600, From: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC), Spacing: time.Millisecond, Late: 0.05}
}

// read parses request bytes as a server would and checks the signature.
func read(t *testing.T, raw []byte) (body []byte, parsed map[string]any) {
	t.Helper()
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatalf("not an HTTP request: %v\n%s", err, raw)
	}
	body, err = io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(Secret))
	mac.Write(body)
	if got, want := request.Header.Get(SignatureHeader), hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Fatalf("signature %s, want %s", got, want)
	}
	if err := json.Unmarshal(body, &parsed); err != nil {
		t.Fatalf("body is not JSON: %v\n%s", err, body)
	}
	return body, parsed
}

func TestEveryRequestIsWholeSignedAndDistinct(t *testing.T) {
	c := corpus()
	requests, err := c.Build(2000, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	ids, late := map[any]bool{}, 0
	for i := range requests.Len() {
		body, parsed := read(t, requests.At(i))
		if len(body) != c.Size {
			t.Fatalf("body %d has %d B, want %d", i, len(body), c.Size)
		}
		if ids[parsed["id"]] {
			t.Fatalf("id %v twice", parsed["id"])
		}
		ids[parsed["id"]] = true
		at, err := time.Parse(time.RFC3339Nano, parsed["timestamp"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if !at.Equal(c.From.Add(time.Duration(i) * c.Spacing)) {
			late++
		}
	}
	if late < 50 || late > 200 {
		t.Errorf("%d of 2000 are late, want about 100", late)
	}
}

func TestTheSameCorpusMakesTheSameBytes(t *testing.T) {
	first, _ := corpus().Build(100, "127.0.0.1:1")
	second, _ := corpus().Build(100, "127.0.0.1:1")
	if !bytes.Equal(first.bytes, second.bytes) {
		t.Error("two builds of one corpus differ")
	}
	other := corpus()
	other.Seed++
	third, _ := other.Build(100, "127.0.0.1:1")
	if bytes.Equal(first.bytes, third.bytes) {
		t.Error("another seed made the same bytes")
	}
}

func TestEachFirstNamesEveryConnection(t *testing.T) {
	c := corpus()
	c.EachFirst = true
	requests, err := c.Build(c.Connections, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range requests.Len() {
		if _, parsed := read(t, requests.At(i)); parsed["connection_id"] != ConnectionID(i) {
			t.Fatalf("webhook %d is about %v, want %s", i, parsed["connection_id"], ConnectionID(i))
		}
	}
}

func TestSingle(t *testing.T) {
	at := time.Date(2025, 1, 2, 3, 4, 5, 6, time.UTC)
	_, parsed := read(t, Single("127.0.0.1:1", "whk_1", "probe_1", at))
	if parsed["id"] != "whk_1" || parsed["connection_id"] != "probe_1" || parsed["timestamp"] != "2025-01-02T03:04:05.000000006Z" {
		t.Errorf("got %v", parsed)
	}
}

func TestBuildRefusesWhatItCannotMake(t *testing.T) {
	small, lonely := corpus(), corpus()
	small.Size, lonely.Connections = 100, 1
	if _, err := small.Build(1, ""); err == nil {
		t.Error("a body of 100 B was accepted")
	}
	if _, err := lonely.Build(1, ""); err == nil {
		t.Error("one connection was accepted")
	}
}

func TestDropTakesTheFirstAway(t *testing.T) {
	whole, err := corpus().Build(10, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	dropped, err := corpus().Build(10, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	dropped.Drop(0)
	dropped.Drop(4)
	if dropped.Len() != 6 {
		t.Fatalf("%d are left, want 6", dropped.Len())
	}
	for i := range dropped.Len() {
		if !bytes.Equal(dropped.At(i), whole.At(i+4)) {
			t.Errorf("request %d is not what was request %d", i, i+4)
		}
	}
	if dropped.Drop(6); dropped.Len() != 0 {
		t.Errorf("%d are left, want none", dropped.Len())
	}
}
