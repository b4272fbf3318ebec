package driver

// HeadersSize is headersSize, for the tests.
var HeadersSize = headersSize
