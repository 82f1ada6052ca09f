package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// tokensIn finds the JSON Web Tokens in the headers of a captured request. None is
// a match: what proves it is a key that only the sender's server gives. The
// caveats say what else speaks for it and against it.
func (s *search) tokensIn() []Construction {
	var out []Construction
	for _, name := range s.names {
		for _, value := range s.request.Header[name] {
			if len(value) > maxHeader {
				continue
			}
			for _, prefix := range []string{"", "Bearer "} {
				if text, ok := strings.CutPrefix(value, prefix); ok {
					if c, ok := s.tokenShape(text); ok {
						c.Header, c.Prefix = name, prefix
						out = append(out, c)
					}
				}
			}
		}
	}
	return out
}

// tokenShape looks at one text.
func (s *search) tokenShape(text string) (Construction, bool) {
	parts := strings.Split(text, ".")
	var head struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	claims := map[string]jsontext.Value{}
	if len(parts) != 3 || decodePart(parts[0], &head) != nil || decodePart(parts[1], &claims) != nil || head.Algorithm == "" {
		return Construction{}, false
	}
	c := Construction{Scheme: "jwt", Algorithm: cut(head.Algorithm, 16)}
	caveat := func(format string, args ...any) { c.Caveats = append(c.Caveats, fmt.Sprintf(format, args...)) }
	bodies := s.bodies()
	for name, value := range claims {
		var claimed string
		if json.Unmarshal(value, &claimed) != nil || len(claimed) != hex.EncodedLen(sha256.Size) {
			continue
		}
		for _, body := range bodies {
			sum := sha256.Sum256(body.body)
			if strings.EqualFold(claimed, hex.EncodeToString(sum[:])) {
				c.Content = cut(name, 64)
				if body.caveat != "" {
					caveat("%s", body.caveat)
				}
				break
			}
		}
	}
	if c.Content == "" {
		caveat("no claim of it is the SHA-256 of the body: it was made for another body, or it does not cover one")
	}
	switch {
	case head.Algorithm != algorithmES256:
		caveat("its algorithm is %s, and %s alone is accepted", c.Algorithm, algorithmES256)
	case head.KeyID == "":
		caveat("it names no key (kid)")
	default:
		caveat("whether it is authentic shows with the key %q alone, which the sender's server gives: a definition says where (signature.keys)", cut(head.KeyID, 64))
	}
	return c, true
}
