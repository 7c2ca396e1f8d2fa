package access

import "io"

// Body counts what is read of a request's body: what its sender claims may be
// anything. Not safe for concurrent use.
type Body struct {
	io.ReadCloser
	Bytes int64
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.Bytes += int64(n)
	return n, err
}
