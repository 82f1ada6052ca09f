package providers

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// decodeSecret turns a configured secret into the key, with the problem in
// words that do not quote the secret.
func decodeSecret(secret, encoding, prefix string) (key []byte, problem string) {
	secret = strings.TrimPrefix(secret, prefix)
	switch encoding {
	case "base64":
		b, err := decodeBase64(secret)
		if err != nil {
			return nil, "is not base64"
		}
		key = b
	case "hex":
		b, err := hex.DecodeString(secret)
		if err != nil {
			return nil, "is not hexadecimal"
		}
		key = b
	default:
		key = []byte(secret)
	}
	if len(key) == 0 {
		return nil, "is empty"
	}
	return key, ""
}

// decodeBase64 decodes either alphabet, padded or not.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawStdEncoding.DecodeString(s)
}
