package providers

import (
	"net/http"
	"testing"
	"time"
)

const (
	failed600  = `{"id":"evt_01HZX3R8Q2M4N6P8S0T2V4W6Y8","event_type":"sync.failed","timestamp":"2026-03-14T09:26:53.589Z","connection_id":"conn_7f3a9c21b4","organization_id":"org_51c2","data":{"status":"failed","sync_id":"sync_20260314_0926","started_at":"2026-03-14T09:24:11.102Z","error":{"code":"RATE_LIMIT_EXCEEDED","message":"The ERP answered 429 Too Many Requests for 312 of 4,018 work orders; the sync stopped after three retries and will be tried again in 15 minutes.","request_id":"req_01HZX3R8Q2M4N6P8S0T2V4W6Y9"},"trigger":"schedule"},"api_version":"2025-11-01","attempt":1,"environment":"production"}`
	unknown600 = `{"id":"evt_01HZX3R8Q2M4N6P8S0T2V4W6Y8","event_type":"invoice.approved","timestamp":1773480413589,"connection_id":"conn_7f3a9c21b4","organization_id":"org_51c2","data":{"status":"approved","invoice":{"number":"2026-004711","net":1249.5,"currency":"EUR","lines":[{"sku":"A-1","qty":3,"price":"12.50"},{"sku":"B-77","qty":1,"price":"1212.00"}],"approved_by":"Zoë Müller","approved_at":"2026-03-14T09:26:51.114Z","note":"paid by \"wire\""},"trigger":"flow","flow":{"id":"flow_invoice_sync","version":14,"step":"approve","run":"run_9b1c7e"}},"api_version":"2025-11-01","attempt":1,"environment":"production"}`
)

func benchmarkMap(b *testing.B, d *Definition, body string, header func(string) string) {
	m, text := d.NewMapper(), []byte(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Map(text, header); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMap(b *testing.B) {
	for _, c := range []struct{ name, body string }{{"completed", body600}, {"failed", failed600}, {"unknown", unknown600}} {
		b.Run(c.name, func(b *testing.B) { benchmarkMap(b, makini(b), c.body, nil) })
	}
	standard, err := Load("standard-webhooks")
	if err != nil {
		b.Fatal(err)
	}
	body := `{"type":"sync.completed","timestamp":"2026-03-14T09:26:53.589Z","data":` + body600 + `}`
	b.Run("standard-webhooks", func(b *testing.B) {
		benchmarkMap(b, standard, body, func(string) string { return "msg_p5jXN8AQM9LWM0D4loKWxJek" })
	})
	// What an expression costs that only CEL can evaluate.
	inCEL := mapped(b, `
type: body.event_type
connection: body.connection_id
data: body.data
rules:
  - {name: a, when: 'data.entities.exists(e, e.deleted > 0)', set: {sync: succeeded}}
`)
	b.Run("CEL", func(b *testing.B) { benchmarkMap(b, inCEL, body600, nil) })
}

// BenchmarkVerify has the bare HMAC beside the schemes: the difference is what a scheme adds.
func BenchmarkVerify(b *testing.B) {
	now := time.Unix(1773480413, 0)
	body := []byte(body600)
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	b.Run("bare", func(b *testing.B) {
		m := newHMACKey("sha256", []byte(secret)).get()
		b.ReportAllocs()
		for b.Loop() {
			m.h.Reset()
			m.h.Write(body)
			m.h.Sum(m.sum[:0])
		}
	})
	for _, c := range []struct {
		name, signature string
		secrets         []string
	}{
		{"hmac", "scheme: hmac\nheader: X-Makini-Signature\nprefix: sha256=\nprefix_optional: true", []string{secret}},
		{"hmac, two secrets", "scheme: hmac\nheader: X-Makini-Signature", []string{"an older one", secret}},
		{"stripe", stripeSignature, []string{secret}},
		{"standard-webhooks", "scheme: standard-webhooks", []string{secret}},
		{"token", "scheme: token\nheader: X-Token", []string{secret}},
	} {
		d := define(b, c.signature)
		header, err := d.Sign(NewSecret(secret), "msg_1", now, body)
		if err != nil {
			b.Fatal(err)
		}
		v := verifier(b, d, c.secrets...)
		b.Run(c.name, func(b *testing.B) { benchmarkVerify(b, v, header, body, now) })
	}
}

func benchmarkVerify(b *testing.B, v *Verifier, header http.Header, body []byte, now time.Time) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(Request{Header: header, Body: body}, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load("makini"); err != nil {
			b.Fatal(err)
		}
	}
}
