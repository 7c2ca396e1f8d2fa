package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"

	"github.com/otlpgate/otlpgate/internal/credential"
)

// compressors are those that exporters in the field use, by Content-Encoding.
var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip":            func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"zlib":            func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"deflate":         func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"zstd":            newZstdWriter,
	"x-snappy-framed": func(w io.Writer) io.WriteCloser { return snappy.NewBufferedWriter(w) },
	"snappy":          func(w io.Writer) io.WriteCloser { return &snappyBlock{to: w} },
}

func newZstdWriter(w io.Writer) io.WriteCloser {
	z, err := zstd.NewWriter(w)
	if err != nil {
		panic(err) // only for bad options
	}
	return z
}

// snappyBlock compresses in the block format, which has no streams.
type snappyBlock struct {
	to io.Writer
	bytes.Buffer
}

func (s *snappyBlock) Close() error {
	_, err := s.to.Write(snappy.Encode(nil, s.Bytes()))
	return err
}

func compress(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := compressors[name](&out)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestCompressedRequestsPassAndAreRefusedAlikeOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k, blind := c.create(t), c.create(t, scopes("traces:read"))
	for name := range compressors {
		body := compress(t, name, marshalProto(t, traces.request()))
		send := func(h headers) answer {
			h["Content-Encoding"] = name
			return sendHTTP(t, c, traces, protobufType, body, h)
		}
		assert.Equal(t, http.StatusOK, send(k.bearer()).http, name)
		assert.Equal(t, http.StatusUnauthorized, send(bearer(c.vault.mint(credential.Live))).http, name)
		assert.Equal(t, http.StatusForbidden, send(blind.bearer()).http, name)
	}
	assert.Len(t, c.sink.spans(), len(compressors))
}

// grpcCompressor gives grpc-go what it lacks and the collector has.
type grpcCompressor struct{ name string }

func (g grpcCompressor) Name() string { return g.name }

func (g grpcCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	if g.name == "snappy" {
		return snappy.NewBufferedWriter(w), nil
	}
	return newZstdWriter(w), nil
}

func (g grpcCompressor) Decompress(r io.Reader) (io.Reader, error) {
	if g.name == "snappy" {
		return snappy.NewReader(r), nil
	}
	return zstd.NewReader(r)
}

var grpcCompressors = []string{"gzip", "zstd", "snappy"}

func init() {
	for _, name := range grpcCompressors[1:] {
		encoding.RegisterCompressor(grpcCompressor{name})
	}
}

func TestCompressedRequestsPassAndAreRefusedAlikeOverGRPC(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	for _, name := range grpcCompressors {
		use := grpc.UseCompressor(name)
		assert.Equal(t, codes.OK, sendGRPCWith(t, c, traces, traces.request(), k.bearer(), use).code, name)
		assert.Equal(t, codes.Unauthenticated, sendGRPCWith(t, c, traces, traces.request(), nil, use).code, name)
	}
	assert.Len(t, c.sink.spans(), len(grpcCompressors))
}

func TestBodiesThatDoNotDecompressAreRefusedByTheKeyFirst(t *testing.T) {
	t.Parallel()
	c := start(t, options{})
	k := c.create(t)
	for name := range compressors {
		for _, want := range []struct {
			headers headers
			status  int
		}{{k.bearer(), http.StatusBadRequest}, {headers{}, http.StatusUnauthorized}} {
			want.headers["Content-Encoding"] = name
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.httpAddress+traces.path, bytes.NewReader([]byte("not compressed")))
			require.NoError(t, err)
			r.Header.Set("Content-Type", protobufType)
			for header, value := range want.headers {
				r.Header.Set(header, value)
			}
			assert.Equal(t, want.status, doHTTP(t, c.admin.http, r).status, name)
		}
	}
	assert.Zero(t, c.sink.items())
}
