package providers

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimes(t *testing.T) {
	auto := timeFormat{unit: "auto"}
	berlin := timeFormat{unit: "auto", zone: time.FixedZone("", 2*3600)}
	text := func(s string) value { return value{kind: kindString, text: []byte(s)} }
	number := func(s string) value { return value{kind: kindNumber, text: []byte(s)} }
	cases := []struct {
		f    timeFormat
		v    value
		want string // "": unreadable
	}{
		{auto, text("2026-03-14T09:26:53Z"), "2026-03-14T09:26:53Z"},
		{auto, text("2026-03-14t09:26:53z"), "2026-03-14T09:26:53Z"},
		{auto, text("2026-03-14 09:26:53Z"), "2026-03-14T09:26:53Z"},
		{auto, text("2026-03-14T09:26:53.123456789Z"), "2026-03-14T09:26:53.123456789Z"},
		{auto, text("2026-03-14T09:26:53.1234567899Z"), "2026-03-14T09:26:53.123456789Z"},
		{auto, text("2026-03-14T09:26:53,5Z"), "2026-03-14T09:26:53.5Z"},
		{auto, text("2026-03-14T09:26:53+02:00"), "2026-03-14T07:26:53Z"},
		{auto, text("2026-03-14T09:26:53-0330"), "2026-03-14T12:56:53Z"},
		{auto, text("2026-03-14T00:00:00+14:00"), "2026-03-13T10:00:00Z"},
		{auto, text("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00Z"},
		{auto, text("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00Z"},
		{auto, text("1970-01-01T00:00:00Z"), "1970-01-01T00:00:00Z"},
		{auto, text("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z"},
		{auto, text("9999-12-31T23:59:59.999999999Z"), "9999-12-31T23:59:59.999999999Z"},
		{auto, text("0001-01-01T00:00:00+01:00"), ""},
		{auto, text("9999-12-31T23:59:59-01:00"), ""},
		{auto, text("0000-01-01T00:00:00Z"), ""},
		{auto, text("2026-03-14T09:26:53"), ""},
		{berlin, text("2026-03-14T09:26:53"), "2026-03-14T07:26:53Z"},
		{berlin, text("2026-03-14 09:26:53.5"), "2026-03-14T07:26:53.5Z"},
		{berlin, text("2026-03-14T09:26:53Z"), "2026-03-14T09:26:53Z"},
		{auto, text("2023-02-29T00:00:00Z"), ""},
		{auto, text("2026-13-01T00:00:00Z"), ""},
		{auto, text("2026-04-31T00:00:00Z"), ""},
		{auto, text("2026-03-14T24:00:00Z"), ""},
		{auto, text("2026-03-14T09:60:53Z"), ""},
		{auto, text("2026-03-14T09:26:61Z"), ""},
		{auto, text("2026-03-14"), ""},
		{auto, text("2026-03-14T09:26Z"), ""},
		{auto, text("2026-03-14T09:26:53.Z"), ""},
		{auto, text("2026-03-14T09:26:53+2:00"), ""},
		{auto, text("2026-03-14T09:26:53+24:00"), ""},
		{auto, text("2026-03-14T09:26:53 UTC"), ""},
		{auto, text("Sat, 14 Mar 2026 09:26:53 GMT"), ""},
		{auto, text("yesterday"), ""},
		{auto, text("２０２６-03-14T09:26:53Z"), ""},

		{auto, number("0"), "1970-01-01T00:00:00Z"},
		{auto, number("-1"), "1969-12-31T23:59:59Z"},
		{auto, number("-1.5"), "1969-12-31T23:59:58.5Z"},
		{auto, number("1614265330"), "2021-02-25T15:02:10Z"},
		{auto, text("1614265330"), "2021-02-25T15:02:10Z"},
		{auto, number("1614265330.123456789"), "2021-02-25T15:02:10.123456789Z"},
		{auto, number("1614265330123"), "2021-02-25T15:02:10.123Z"},
		{auto, number("1614265330123.5"), "2021-02-25T15:02:10.1235Z"},
		{auto, number("1614265330123456"), "2021-02-25T15:02:10.123456Z"},
		{auto, number("1614265330123456789"), "2021-02-25T15:02:10.123456789Z"},
		{auto, number("1.614265330e9"), "2021-02-25T15:02:10Z"},
		{auto, number("1.61426533012345e+12"), "2021-02-25T15:02:10.12345Z"},
		{auto, number("16142653301e-1"), "2021-02-25T15:02:10.1Z"},
		{auto, number("99999999999"), "5138-11-16T09:46:39Z"},
		{auto, number("100000000000"), "1973-03-03T09:46:40Z"},
		{auto, number("253402300799"), "1978-01-11T21:31:40.799Z"}, // seconds would be 9999; by size it is milliseconds
		{timeFormat{unit: "s"}, number("253402300799"), "9999-12-31T23:59:59Z"},
		{timeFormat{unit: "s"}, number("253402300800"), ""},
		{timeFormat{unit: "s"}, number("1614265330123"), ""},
		{timeFormat{unit: "ms"}, number("1000"), "1970-01-01T00:00:01Z"},
		{timeFormat{unit: "us"}, number("-1"), "1969-12-31T23:59:59.999999Z"},
		{timeFormat{unit: "ns"}, number("1"), "1970-01-01T00:00:00.000000001Z"},
		{auto, number("9223372036854775807"), "2262-04-11T23:47:16.854775807Z"},
		{auto, number("9223372036854775808"), ""},
		{auto, number("123456789012345678901234567890"), ""},
		{auto, number("1e400"), ""},
		{auto, number("1e-400"), ""},
		{auto, number("1e999999999999999999999"), ""},
		{auto, text("1614265330x"), ""},
		{auto, text("1614265330."), ""},
		{auto, text("-"), ""},
		{auto, text("0x60"), ""},
		{auto, value{kind: kindBool, text: []byte("true")}, ""},
		{auto, value{kind: kindObject}, ""},
	}
	for _, c := range cases {
		got, problem := c.f.parse(c.v)
		if c.want == "" {
			if problem == "" || !got.IsZero() {
				t.Errorf("%s was read as %v", c.v.text, got)
			}
			continue
		}
		if problem != "" || got.Format(time.RFC3339Nano) != c.want || got.Location() != time.UTC {
			t.Errorf("%s is %v, want %s: %s", c.v.text, got, c.want, problem)
		}
	}
	if _, problem := auto.parse(text("2026-03-14T09:26:53")); !strings.Contains(problem, "mapping.time_zone") {
		t.Errorf("no hint at the zone in %q", problem)
	}
}

// TestTimesRoundTrip compares with the standard library for instants of all years.
func TestTimesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secs := rapid.Int64Range(-62135596800, 253402300799).Draw(t, "secs")
		nanos := rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")
		offset := rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "offset")
		at := time.Unix(secs, nanos).In(time.FixedZone("", offset*60))
		if y := at.Year(); y < 1 || y > 9999 {
			return
		}
		text := at.Format(time.RFC3339Nano)
		got, problem := timeFormat{unit: "auto"}.parse(value{kind: kindString, text: []byte(text)})
		if problem != "" || !got.Equal(at) {
			t.Fatalf("%s is %v: %s", text, got, problem)
		}
		if ns := at.UnixNano(); at.Year() > 1700 && at.Year() < 2200 {
			got, problem := timeFormat{unit: "ns"}.parse(value{kind: kindNumber, text: strconv.AppendInt(nil, ns, 10)})
			if problem != "" || !got.Equal(at) {
				t.Fatalf("%d is %v: %s", ns, got, problem)
			}
		}
	})
}

func TestIntegerLimits(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "-0": 0, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64} {
		if got, ok := integer([]byte(text)); !ok || got != want {
			t.Errorf("%s is %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"1.0", "1e3", "9223372036854775808", "123456789012345678901"} {
		if got, ok := integer([]byte(text)); ok {
			t.Errorf("%s is %d", text, got)
		}
	}
}
