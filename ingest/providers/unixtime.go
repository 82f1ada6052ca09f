package providers

import (
	"math"
	"strconv"
	"time"
)

// Unix times of these sizes and more are read in the next smaller unit: seconds
// reach the year 5138 before they would be taken for milliseconds.
const (
	firstMilli = 100_000_000_000
	firstMicro = firstMilli * 1000
	firstNano  = firstMicro * 1000
)

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
