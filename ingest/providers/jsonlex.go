package providers

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// skipSpace returns the first byte from i on that is not JSON's white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipPlain returns the first byte from i on that is a quote, a backslash, a
// control character or not ASCII; len(b) where there is none.
func skipPlain(b []byte, i int) int {
	// Eight bytes at a time. Below the first hit no borrow has happened, so the lowest bit is exact.
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^'"'*ones, x^'\\'*ones
		hit := ((quote-ones)&^quote | (slash-ones)&^slash | (x-0x20*ones)&^x | x) & highs
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// scanString returns the end of the string whose opening quote is at start and
// whose bytes before i are plain.
func scanString(b []byte, start, i int) (end int, escaped bool, err error) {
	for {
		i = skipPlain(b, i)
		if i >= len(b) {
			return 0, false, &syntaxError{i, "the body ends inside the string that begins at byte " + strconv.Itoa(start)}
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped, nil
		case c == '\\':
			n := scanEscape(b[i:])
			if n == 0 {
				return 0, false, &syntaxError{i, "an escape sequence that JSON does not have, or half a surrogate pair"}
			}
			escaped = true
			i += n
		case c < 0x20:
			return 0, false, &syntaxError{i, "a control character inside the string that begins at byte " + strconv.Itoa(start)}
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return 0, false, &syntaxError{i, "invalid UTF-8"}
			}
			i += n
		}
	}
}

// scanEscape returns the length of the escape sequence that b begins with, 0 where it is none.
func scanEscape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r := hex4(b[2:])
		switch {
		case r < 0 || r >= 0xDC00 && r < 0xE000:
			return 0
		case r < 0xD800 || r >= 0xE000:
			return 6
		}
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return 0
		}
		if low := hex4(b[8:]); low < 0xDC00 || low >= 0xE000 {
			return 0
		}
		return 12
	}
	return 0
}

// hex4 reads four hexadecimal digits, -1 where there are none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		v := hexDigit(c)
		if v < 0 {
			return -1
		}
		r = r<<4 | rune(v)
	}
	return r
}

// hexDigit returns the value of a hexadecimal digit of either case, -1 for another byte.
func hexDigit(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// scanNumber returns the end of the number at i.
func scanNumber(b []byte, i int) (int, error) {
	start := i
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if n := digits(b, i); n > i {
		i = n
	} else {
		return 0, unexpected(b, start, "a value")
	}
	if i < len(b) && b[i] == '.' {
		n := digits(b, i+1)
		if n == i+1 {
			return 0, unexpected(b, n, "a digit")
		}
		i = n
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := digits(b, i)
		if n == i {
			return 0, unexpected(b, n, "a digit")
		}
		i = n
	}
	return i, nil
}

// digits returns the end of the decimal digits at i.
func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
