package providers

import (
	"crypto/sha256"
	"errors"
)

// explainToken says what may have become of a request whose token does not prove it.
func (s *signature) explainToken(r Request, err error) string {
	if !errors.Is(err, errBodyDiffers) {
		return ""
	}
	t, err := (&jwtScheme{signature: s}).token(r)
	if err != nil {
		return ""
	}
	for _, body := range (&search{request: r}).bodies() {
		if sha256.Sum256(body.body) == t.bodyHash {
			return body.caveat
		}
	}
	return "something changed the body on the way"
}
