package service

// heapReserve is how much garbage a process gathers at least before it is collected. A service holds a few MB; with as
// little garbage as that, Go would collect it tens of times a second under load, for a tenth of all its work.
const heapReserve = 32 << 20

// reserved counts as held, so that Go waits for as many bytes more, or for what GOGC makes of them. Nothing is ever
// written to it: it takes address space and no memory. See https://go.dev/doc/gc-guide#GOGC.
var reserved []byte

func reserveHeap() { reserved = make([]byte, heapReserve) }
