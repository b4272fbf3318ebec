package rpc

// Observer is notified of events that no caller sees, for metrics. A nil field ignores its event. The functions must
// not block: they run on the goroutines that carry messages.
type Observer struct {
	// On a client.
	OrphanReply   func() // a reply arrived that no call waits for
	ForgedReply   func() // a reply was dropped because another user sent it, see ClientOptions.VerifyReplies
	ResentRequest func() // a request was sent again because its connection was lost

	// On a server.
	ExpiredRequest  func() // a request arrived past its deadline and was dropped
	UnroutableReply func() // a reply was returned because its callback queue is gone
}

// notify calls f unless it is nil.
func notify(f func()) {
	if f != nil {
		f()
	}
}
