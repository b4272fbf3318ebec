package protocol

import (
	"testing"

	"example.com/warren/pkg/messaging/driver"
)

func BenchmarkEncodeRequest(b *testing.B) {
	request := fullRequest()
	b.ReportAllocs()
	for b.Loop() {
		_ = Encoder{ReplyTo: "gateway.rpc.response"}.Request(request, testSecret, testNow)
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	m := driver.Normalize(Encoder{ReplyTo: "gateway.rpc.response"}.Request(fullRequest(), testSecret, testNow))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeRequest("orders.create", m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeReply(b *testing.B) {
	reply := &Reply{Status: 200, ContentType: contentTypeJSON, Body: []byte(`{}`)}
	m := driver.Normalize(Encoder{AppID: "orders"}.Reply(reply, fullRequest(), testSecret))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeReply(&m); err != nil {
			b.Fatal(err)
		}
	}
}
