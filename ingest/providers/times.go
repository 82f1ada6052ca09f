package providers

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// timeFormat is how a definition says its times are written.
type timeFormat struct {
	unit string         // auto, s, ms, us, ns: of unix times
	zone *time.Location // of times that name none; nil: such a time cannot be read
}

// Unix times of these sizes and more are read in the next smaller unit: seconds
// reach the year 5138 before they would be taken for milliseconds.
const (
	firstMilli = 100_000_000_000
	firstMicro = firstMilli * 1000
	firstNano  = firstMicro * 1000
)

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

// unix reads a unix time from its decimal digits, without the detour over a
// float that would change them.
func (f timeFormat) unix(b []byte) (time.Time, string) {
	const unreadable = "neither RFC 3339 nor a unix time"
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, negative = 1, true
	}
	end := digits(b, i)
	whole, frac := b[i:end], []byte(nil)
	if end == i {
		return time.Time{}, unreadable
	}
	i = end
	if i < len(b) && b[i] == '.' {
		end = digits(b, i+1)
		if frac = b[i+1 : end]; len(frac) == 0 {
			return time.Time{}, unreadable
		}
		i = end
	}
	if i < len(b) {
		if b[i]|0x20 != 'e' {
			return time.Time{}, unreadable
		}
		exponent, err := strconv.ParseInt(string(b[i+1:]), 10, 32)
		if err != nil || exponent < -64 || exponent > 64 || len(b) > 128 {
			return time.Time{}, unreadable
		}
		whole, frac = shift(whole, frac, int(exponent))
	}
	n, ok := int64(0), true
	for _, c := range whole {
		if n > (math.MaxInt64-int64(c-'0'))/10 {
			ok = false
			break
		}
		n = n*10 + int64(c-'0')
	}
	if !ok {
		return time.Time{}, "too large for a unix time"
	}
	return f.scale(n, frac, negative)
}

// shift moves the decimal point of whole.frac by n places to the right.
func shift(whole, frac []byte, n int) ([]byte, []byte) {
	all := append(append([]byte(nil), whole...), frac...)
	point := len(whole) + n
	for point < 0 {
		all = append([]byte{'0'}, all...)
		point++
	}
	for len(all) < point {
		all = append(all, '0')
	}
	return all[:point], all[point:]
}

// scale reads n.frac in the definition's unit, or in the unit that its size says.
func (f timeFormat) scale(n int64, frac []byte, negative bool) (time.Time, string) {
	unit := f.unit
	if unit == "auto" {
		switch {
		case n < firstMilli:
			unit = "s"
		case n < firstMicro:
			unit = "ms"
		case n < firstNano:
			unit = "us"
		default:
			unit = "ns"
		}
	}
	perSecond, places := int64(1), 9
	switch unit {
	case "ms":
		perSecond, places = 1000, 6
	case "us":
		perSecond, places = 1000_000, 3
	case "ns":
		perSecond, places = 1000_000_000, 0
	}
	secs := n / perSecond
	nanos := n%perSecond*(1_000_000_000/perSecond) + fraction(frac, places)
	if negative {
		secs, nanos = -secs, -nanos
	}
	const limit = 400_000_000_000 // seconds, beyond the year 9999 and before the year 1
	if secs > limit || secs < -limit {
		return time.Time{}, "the year is not between 1 and 9999; the unit may be another, see mapping.time_unit"
	}
	return time.Unix(secs, nanos).UTC(), ""
}
