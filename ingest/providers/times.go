package providers

import (
	"fmt"
	"time"
)

// timeFormat is how a definition says its times are written.
type timeFormat struct {
	unit string         // auto, s, ms, us, ns: of unix times
	zone *time.Location // of times that name none; nil: such a time cannot be read
}

// parse reads a time: RFC 3339 with any offset, or a unix time, whole or with
// decimals. problem says in words what cannot be read. The result is UTC and
// within the years 1 to 9999; digits beyond nanoseconds are dropped.
func (f timeFormat) parse(v value) (t time.Time, problem string) {
	switch v.kind {
	case kindTime:
		t = v.at
	case kindNumber:
		t, problem = f.unix(v.text)
	case kindString:
		if len(v.text) > 4 && v.text[4] == '-' {
			t, problem = f.civil(v.text)
		} else {
			t, problem = f.unix(v.text)
		}
	default:
		return t, v.kind.String() + " is no time"
	}
	if problem == "" && (t.Year() < 1 || t.Year() > 9999) {
		problem = "the year is not between 1 and 9999"
	}
	if problem != "" {
		return time.Time{}, fmt.Sprintf("%s %q: %s", v.kind, cut(string(v.text), 64), problem)
	}
	return t, ""
}

// civil reads RFC 3339, also with a blank for the T, with an offset without
// colon, and, where the definition names a zone, without an offset.
func (f timeFormat) civil(b []byte) (time.Time, string) {
	const unreadable = "not RFC 3339, as in 2006-01-02T15:04:05Z"
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, unreadable
	}
	year, ok1 := number4(b)
	month, ok2 := number2(b[5:])
	day, ok3 := number2(b[8:])
	hour, ok4 := number2(b[11:])
	minute, ok5 := number2(b[14:])
	second, ok6 := number2(b[17:])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) {
		return time.Time{}, unreadable
	}
	// A leap second is the second after it, as in most clocks.
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, "no such day or hour"
	}
	i, nanos := 19, 0
	if i < len(b) && (b[i] == '.' || b[i] == ',') {
		end := digits(b, i+1)
		if end == i+1 {
			return time.Time{}, unreadable
		}
		nanos = int(fraction(b[i+1:end], 9))
		i = end
	}
	secs := daysBefore(year, month, day)*86400 + int64(hour*3600+minute*60+second)
	switch rest := b[i:]; {
	case len(rest) == 1 && rest[0]|0x20 == 'z':
		return time.Unix(secs, int64(nanos)).UTC(), ""
	case len(rest) == 0 && f.zone != nil:
		return time.Date(year, time.Month(month), day, hour, minute, second, nanos, f.zone).UTC(), ""
	case len(rest) == 0:
		return time.Time{}, "no offset from UTC; where the provider means a certain zone, say so in mapping.time_zone"
	default:
		offset, ok := parseOffset(rest)
		if !ok {
			return time.Time{}, unreadable
		}
		return time.Unix(secs-int64(offset), int64(nanos)).UTC(), ""
	}
}

// parseOffset reads ±hh:mm or ±hhmm, in seconds.
func parseOffset(b []byte) (int, bool) {
	if len(b) != 6 && len(b) != 5 || b[0] != '+' && b[0] != '-' || len(b) == 6 && b[3] != ':' {
		return 0, false
	}
	hours, ok1 := number2(b[1:])
	minutes, ok2 := number2(b[len(b)-2:])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func number2(b []byte) (int, bool) {
	return int(b[0]-'0')*10 + int(b[1]-'0'), isDigit(b[0]) && isDigit(b[1])
}

func number4(b []byte) (int, bool) {
	high, ok1 := number2(b)
	low, ok2 := number2(b[2:])
	return high*100 + low, ok1 && ok2
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysBefore returns the days from 1970-01-01 to a day of the proleptic Gregorian calendar.
func daysBefore(year, month, day int) int64 {
	y := int64(year)
	if month <= 2 { // years that begin in March put the leap day last
		y--
		month += 12
	}
	const fromMarch0000 = 719468
	return 365*y + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400) + int64(153*(month-3)+2)/5 + int64(day) - 1 - fromMarch0000
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// fraction reads the first digits of a decimal fraction as units of 10^-places.
func fraction(b []byte, places int) int64 {
	var n int64
	for i := range places {
		n *= 10
		if i < len(b) {
			n += int64(b[i] - '0')
		}
	}
	return n
}
