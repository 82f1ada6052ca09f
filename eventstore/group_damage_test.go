package eventstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// TestDamageIsNeverSilent flips every bit, cuts at every length, and drops and doubles every
// byte of every golden group: each is an ErrIntegrity.
func TestDamageIsNeverSilent(t *testing.T) {
	for _, want := range goldens() {
		t.Run(want.file, func(t *testing.T) {
			msg := readGolden(t, want.file)
			var d eventstore.Decoder
			var g eventstore.Group
			mustFail := func(what string, at int, damaged []byte) {
				t.Helper()
				if err := d.Decode(damaged, &g); !errors.Is(err, eventstore.ErrIntegrity) {
					t.Fatalf("%s at byte %d of %d: error %v, want ErrIntegrity", what, at, len(msg), err)
				}
			}
			for i := range msg {
				damaged := bytes.Clone(msg)
				for bit := range 8 {
					damaged[i] = msg[i] ^ 1<<bit
					mustFail(fmt.Sprintf("bit %d flipped", bit), i, damaged)
				}
				mustFail("cut", i, msg[:i])
				mustFail("byte dropped", i, slices.Delete(bytes.Clone(msg), i, i+1))
				mustFail("byte doubled", i, slices.Insert(bytes.Clone(msg), i, msg[i]))
			}
			mustFail("byte appended", len(msg), append(bytes.Clone(msg), '\n'))
			mustFail("group appended", len(msg), append(bytes.Clone(msg), msg...))
			if err := d.Decode(msg, &g); err != nil {
				t.Errorf("the decoder does not read an intact group any more: %v", err)
			}
		})
	}
}

// reseal gives a message the checksums that fit its content, so that what stands behind
// them is put to the test too. It reads lengths loosely and leaves alone what it cannot read.
func reseal(msg []byte) []byte {
	out := bytes.Clone(msg)
	seal := func(place, from, to int) {
		if place+16 <= len(out) && from <= to {
			copy(out[place:], fmt.Sprintf("%016x", xxhash.Sum64(out[from:to])))
		}
	}
	line, rest, found := bytes.Cut(out, []byte("\n"))
	if !found || len(line) < 17 {
		return out
	}
	seal(len(line)-16, 0, len(line)-16)
	for start := len(line) + 1; ; {
		line, rest, found = bytes.Cut(rest, []byte("\n"))
		fields := strings.Split(string(line), " ")
		if !found || len(line) < 17 || len(fields) < 3 {
			return out
		}
		headers, err1 := strconv.Atoi(fields[len(fields)-2])
		body, err2 := strconv.Atoi(fields[len(fields)-1])
		if err1 != nil || err2 != nil || headers < 0 || body < 0 || headers > len(rest) || body > len(rest)-headers {
			return out
		}
		end := start + len(line) + 1 + headers + body
		seal(start, start+17, end)
		rest = out[min(end+1, len(out)):]
		start = end + 1
	}
}

// TestDecodeRefuses spoils a group, mends its checksums, and expects the
// decoder to say what else is wrong.
func TestDecodeRefuses(t *testing.T) {
	const id, received = "01KJMMA2G07RJ6Y2CQ1S9ZB4MD", "2026-03-01T12:00:00.5Z"
	const sum = "0000000000000000"
	group := func(version, groupID, count string, events ...string) string {
		return "tidemark-group/" + version + " " + groupID + " " + count + " " + sum + "\n" + strings.Join(events, "")
	}
	event := func(line, rest string) string { return sum + " " + line + "\n" + rest + "\n" }
	good := event("webhook "+id+" makini hmac "+received+" 5 2", "A: b\n{}")
	one := func(line, rest string) string { return group("1", id, "1", event(line, rest)) }

	var d eventstore.Decoder
	var g eventstore.Group
	for _, intact := range []string{group("1", id, "1", good), group("1", id, "2", good, good), one("webhook "+id+" a b "+received+" 0 0", "")} {
		if err := d.Decode(reseal([]byte(intact)), &g); err != nil {
			t.Fatalf("the intact group is refused, so the cases below show nothing: %v", err)
		}
	}

	cases := map[string]struct{ msg, says string }{
		"empty":              {"", "begins with"},
		"another protocol":   {"GET / HTTP/1.1\r\n\r\n", "begins with"},
		"newer version":      {group("2", id, "1", good), `version "2" is unknown`},
		"version 1.1":        {group("1.1", id, "1", good), `version "1.1" is unknown`},
		"lower case id":      {group("1", strings.ToLower(id), "1", good), "ULID"},
		"id over 128 bits":   {group("1", "8"+id[1:], "1", good), "ULID"},
		"id with U":          {group("1", "0U"+id[2:], "1", good), "ULID"},
		"no events":          {group("1", id, "0"), "count"},
		"count 01":           {group("1", id, "01", good), "count"},
		"count +1":           {group("1", id, "+1", good), "count"},
		"no count":           {group("1", id, "", good), "count"},
		"one event too few":  {group("1", id, "3", good, good), "event 2 of 3"},
		"one event too many": {group("1", id, "1", good, good), "follow the last of 1"},
		"count of millions":  {group("1", id, "999999999", good), "cannot hold"},
		"count beyond int":   {group("1", id, "99999999999999999999", good), "count"},

		"another kind":          {one("poll "+id+" a b "+received+" 0 0", ""), `kind "poll" is unknown`},
		"event id lower case":   {one("webhook "+strings.ToLower(id)+" a b "+received+" 0 0", ""), "ULID"},
		"no source":             {one("webhook "+id+"  b "+received+" 0 0", ""), "source"},
		"source upper case":     {one("webhook "+id+" A b "+received+" 0 0", ""), "source"},
		"source of 65 bytes":    {one("webhook "+id+" "+strings.Repeat("a", 65)+" b "+received+" 0 0", ""), "source"},
		"scheme from dash":      {one("webhook "+id+" a -b "+received+" 0 0", ""), "scheme"},
		"time with offset":      {one("webhook "+id+" a b 2026-03-01T12:00:00+00:00 0 0", ""), "received_at"},
		"time lower case":       {one("webhook "+id+" a b 2026-03-01t12:00:00z 0 0", ""), "received_at"},
		"fraction ends in 0":    {one("webhook "+id+" a b 2026-03-01T12:00:00.50Z 0 0", ""), "received_at"},
		"fraction empty":        {one("webhook "+id+" a b 2026-03-01T12:00:00.Z 0 0", ""), "received_at"},
		"fraction of 10 digits": {one("webhook "+id+" a b 2026-03-01T12:00:00.1234567891Z 0 0", ""), "received_at"},
		"fraction with comma":   {one("webhook "+id+" a b 2026-03-01T12:00:00,5Z 0 0", ""), "received_at"},
		"month 0":               {one("webhook "+id+" a b 2026-00-01T12:00:00Z 0 0", ""), "received_at"},
		"month 13":              {one("webhook "+id+" a b 2026-13-01T12:00:00Z 0 0", ""), "received_at"},
		"day 0":                 {one("webhook "+id+" a b 2026-03-00T12:00:00Z 0 0", ""), "received_at"},
		"April 31":              {one("webhook "+id+" a b 2026-04-31T12:00:00Z 0 0", ""), "received_at"},
		"29 February 2026":      {one("webhook "+id+" a b 2026-02-29T12:00:00Z 0 0", ""), "received_at"},
		"29 February 2100":      {one("webhook "+id+" a b 2100-02-29T12:00:00Z 0 0", ""), "received_at"},
		"hour 24":               {one("webhook "+id+" a b 2026-03-01T24:00:00Z 0 0", ""), "received_at"},
		"leap second":           {one("webhook "+id+" a b 2026-06-30T23:59:60Z 0 0", ""), "received_at"},
		"header bytes 00":       {one("webhook "+id+" a b "+received+" 00 0", ""), "header bytes"},
		"body bytes 02":         {one("webhook "+id+" a b "+received+" 0 02", "{}"), "body bytes"},
		"body bytes missing":    {one("webhook "+id+" a b "+received+" 0 ", ""), "body bytes"},
		"CR before LF":          {one("webhook "+id+" a b "+received+" 0 0\r", ""), "body bytes"},
		"body too long":         {one("webhook "+id+" a b "+received+" 0 3", "{}"), "cut short"},
		"body too short":        {one("webhook "+id+" a b "+received+" 0 1", "{}"), "newline"},
		"headers too long":      {one("webhook "+id+" a b "+received+" 999999999 0", ""), "cut short"},

		"header without space":   {one("webhook "+id+" a b "+received+" 4 0", "A:b\n"), "header 0"},
		"header without colon":   {one("webhook "+id+" a b "+received+" 4 0", "A b\n"), "header 0"},
		"header without newline": {one("webhook "+id+" a b "+received+" 4 0", "A: b"), "header 0"},
		"colon on the next line": {one("webhook "+id+" a b "+received+" 7 0", "A\nB: c\n"), "header 0"},
		"second header broken":   {one("webhook "+id+" a b "+received+" 7 0", "A: b\nC\n"), "header 1"},
		"header without name":    {one("webhook "+id+" a b "+received+" 4 0", ": b\n"), "header name"},
		"header name with space": {one("webhook "+id+" a b "+received+" 6 0", "A B: \n"), "header name"},
		"header value with CR":   {one("webhook "+id+" a b "+received+" 6 0", "A: b\r\n"), "CR or NUL"},
		"header value with NUL":  {one("webhook "+id+" a b "+received+" 6 0", "A: \x00b\n"), "CR or NUL"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := d.Decode(reseal([]byte(c.msg)), &g)
			if !errors.Is(err, eventstore.ErrIntegrity) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want an ErrIntegrity that says %q", err, c.says)
			}
		})
	}
	for name, spoil := range map[string]func(string) string{
		"group's checksum":      func(s string) string { return strings.Replace(s, "1 0", "1 f", 1) },
		"checksum upper case":   strings.ToUpper,
		"checksum not a number": func(s string) string { return strings.ReplaceAll(s, sum, "000000000000000g") },
	} {
		t.Run(name, func(t *testing.T) {
			if err := d.Decode([]byte(spoil(group("1", id, "1", good))), &g); !errors.Is(err, eventstore.ErrIntegrity) {
				t.Errorf("error %v, want ErrIntegrity", err)
			}
		})
	}
}
