package service

// heapReserve is how much garbage a process gathers at least before it is collected. A service holds a few MB; with as
// little garbage as that, Go would collect it tens of times a second under load, for a tenth of all its work.
//
// Main holds as many bytes, so that Go waits for as many more, or for what GOGC makes of them. Nothing is ever written to
// them: they take address space and no memory. See https://go.dev/doc/gc-guide#GOGC.
const heapReserve = 16 << 20
