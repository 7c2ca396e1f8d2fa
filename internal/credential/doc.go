// Package credential knows API keys as text: how they are minted, recognised
// without asking anyone, found in the headers of a request, digested, and kept
// from being printed.
//
// A key is <prefix>_<live|test|sys>_<30 random characters><6 of checksum>. It
// is handled as a Secret; what is stored of it is its Digest, and what people
// see of it is its hint.
//
// No error of this package contains any part of the text it is about.
package credential
