package providers

import (
	"testing"
	"time"
)

// TestPlaid is the published request, with the definition as it is shipped: verified and read.
func TestPlaid(t *testing.T) {
	d, err := Load("plaid")
	if err != nil {
		t.Fatal(err)
	}
	server := &keyServer{keys: map[string]string{"6c5516e1-92dc-479e-a8ff-5a51992e0001": publishedJWK}}
	v, err := d.NewVerifier([]Secret{NewSecret("id:secret")}, FetchKeys(server))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Header: headers("Plaid-Verification", publishedJWT), Body: []byte(plaidBody)}
	if verified, err := v.Verify(r, time.Unix(publishedIAT, 0)); err != nil || verified != "jwt" {
		t.Fatalf("%q, %v", verified, err)
	}
	want := `POST https://production.plaid.com/webhook_verification_key/get {"client_id":"id","secret":"secret","key_id":"6c5516e1-92dc-479e-a8ff-5a51992e0001"}`
	if len(server.asked) != 1 || server.asked[0] != want {
		t.Errorf("asked %q, want %s", server.asked, want)
	}
	o, err := d.NewMapper().Map(r.Body, nil)
	if err != nil || o.Connection != "yxQbxDjnD8hr69pKbQpbcKeVn3GL9QuyA7NV3" || o.Sets[Sync] != SyncSucceeded || o.DeliveryID != "" || !o.OccurredAt.IsZero() {
		t.Errorf("%+v, %v", o, err)
	}
}

// BenchmarkMapPlaid has a type that is put together of two fields.
func BenchmarkMapPlaid(b *testing.B) {
	d, err := Load("plaid")
	if err != nil {
		b.Fatal(err)
	}
	benchmarkMap(b, d, plaidBody, nil)
}
