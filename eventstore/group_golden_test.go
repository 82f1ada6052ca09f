package eventstore_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

var update = flag.Bool("update", false, "write the golden groups anew; only a new version of the format may change them")

// golden is a group as it has to stand in testdata, byte for byte, for ever: a log
// written by any release is read by every later one.
type golden struct {
	file   string
	id     string
	events []eventstore.Event
}

func goldens() []golden {
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	event := func(id, source, verified, received, body string, headers ...string) eventstore.Event {
		e := eventstore.Event{
			ID: ulid.MustParseStrict(id), Source: source, Verified: verified,
			ReceivedAt: at(received), Body: []byte(body),
		}
		for i := 0; i < len(headers); i += 2 {
			e.Headers = append(e.Headers, eventstore.Header{Name: headers[i], Value: headers[i+1]})
		}
		return e
	}
	var allBytes strings.Builder
	for b := range 256 {
		allBytes.WriteByte(byte(b))
	}
	return []golden{
		{"one.group", "01KJMMA2G0ZX3D5Q8R2T4V6W8Y", []eventstore.Event{
			event("01KJMMA2G07RJ6Y2CQ1S9ZB4MD", "makini-prod", "hmac", "2026-03-01T12:00:00.000000001Z",
				`{"id":"evt_1","type":"connection.created","connection_id":"conn_42"}`,
				"Content-Type", "application/json", "X-Makini-Delivery", "dlv_1"),
		}},
		{"many.group", "01KJMMA2KVZX3D5Q8R2T4V6W8Z", []eventstore.Event{
			event("01KJMMA2G0AAAAAAAAAAAAAAAA", "makini-prod", "hmac", "2026-03-01T12:00:00Z", `{"n":1}`),
			event("01KJMMA2KVBBBBBBBBBBBBBBBB", "makini-prod", "hmac", "2026-03-01T12:00:00.123Z", `{"n":2}`, "Content-Type", "application/json"),
			event("01KJMMA2KVCCCCCCCCCCCCCCCC", "standard_2", "standard-webhooks", "2026-03-01T12:00:00.123456Z", `{"n":3}`),
			event("01KJMMA2KVDDDDDDDDDDDDDDDD", "t", "token", "2026-03-01T12:00:00.123456789Z", `{"n":4}`),
			event("01HQVMZ0WWEEEEEEEEEEEEEEEE", "0-open_", "none", "2024-02-29T23:59:59.9Z", `{"n":5}`),
		}},
		{"binary.group", "01KJMMA2G0FFFFFFFFFFFFFFFF", []eventstore.Event{
			event("01KJMMA2G0GGGGGGGGGGGGGGGG", "raw", "none", "2026-03-01T12:00:00Z", allBytes.String()),
			event("00000000000000000000000000", "raw", "none", "1970-01-01T00:00:00Z", "\r\n\n\x00"),
			event("76EZ91ZPZZZZZZZZZZZZZZZZZZ", "raw", "none", "9999-12-31T23:59:59.999999999Z",
				"\n0000000000000000 webhook 01KJMMA2G0GGGGGGGGGGGGGGGG raw none 2026-03-01T12:00:00Z 0 0\n\n"),
		}},
		{"empty.group", "01KJMMA2G0HHHHHHHHHHHHHHHH", []eventstore.Event{
			event("01KJMMA2G0JJJJJJJJJJJJJJJJ", "ping", "basic", "2026-03-01T12:00:00Z", ""),
			event("01KJMMA2G0KKKKKKKKKKKKKKKK", "ping", "basic", "2026-03-01T12:00:00Z", "", "Content-Length", "0"),
			event("01KJMMA2G0MMMMMMMMMMMMMMMM", "ping", "basic", "2026-03-01T12:00:00Z", "\n"),
		}},
		{"redacted.group", "01KJMMA2G0QQQQQQQQQQQQQQQQ", []eventstore.Event{
			event("01KJMMA2G0RRRRRRRRRRRRRRRR", "merge-prod", "hmac", "2026-03-01T12:00:00Z",
				`{"hook":{"event":"LinkedAccount.linked"},"data":{"account_token":"redacted:hmac-sha256:2c70e12b7a0646f92279f427c7b38e73"}}`,
				"Content-Type", "application/json", "Tidemark-Redacted", "1"),
			event("01KJMMA2G0SSSSSSSSSSSSSSSS", "merge-prod", "hmac", "2026-03-01T12:00:00Z",
				"redacted:hmac-sha256:2c70e12b7a0646f92279f427c7b38e73", "Content-Encoding", "gzip", "Tidemark-Redacted", "body"),
		}},
		{"headers.group", "01KJMMA2G0NNNNNNNNNNNNNNNN", []eventstore.Event{
			event("01KJMMA2G0PPPPPPPPPPPPPPPP", "headers", "hmac", "2026-03-01T12:00:00Z", "{}",
				"X-Empty", "", "X-Colon", "a: b:c", "X-Spaces", "  two \t", "X-Latin1", "caf\xe9", "X-Utf8", "café",
				"x-Twice", "1", "x-Twice", "2", "!#$%&'*+-.^_`|~09azAZ", "token"),
		}},
	}
}

func readGolden(t testing.TB, file string) []byte {
	t.Helper()
	msg, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestGoldenGroups(t *testing.T) {
	for _, want := range goldens() {
		t.Run(want.file, func(t *testing.T) {
			id := ulid.MustParseStrict(want.id)
			encoded, err := eventstore.AppendGroup(nil, id, want.events)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", want.file), encoded, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			msg := readGolden(t, want.file)
			if !bytes.Equal(encoded, msg) {
				t.Errorf("the codec writes\n%q\nthe golden file holds\n%q", encoded, msg)
			}
			var d eventstore.Decoder
			var g eventstore.Group
			if err := d.Decode(msg, &g); err != nil {
				t.Fatal(err)
			}
			if g.ID != id || g.Size != len(msg) || len(g.Events) != len(want.events) {
				t.Fatalf("decoded id %s, size %d, %d events", g.ID, g.Size, len(g.Events))
			}
			for i := range want.events {
				if diff := storetest.Diff(g.Events[i], want.events[i]); diff != "" {
					t.Errorf("event %d: %s", i, diff)
				}
			}
		})
	}
}

// TestFormatDocument holds the example of docs/FORMAT.md against the golden file.
func TestFormatDocument(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "FORMAT.md"))
	if err != nil {
		t.Fatal(err)
	}
	if example := readGolden(t, "one.group"); !bytes.Contains(doc, example) {
		t.Errorf("docs/FORMAT.md does not show testdata/one.group:\n%s", example)
	}
}
