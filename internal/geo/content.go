package geo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxSize bounds the memory that a file named by mistake takes. It is several
// times the size of the largest databases of cities.
const maxSize = 2 << 30

// remedy ends the errors of files that are not what they should be.
const remedy = "put a MaxMind database (.mmdb) of countries or cities there, or set geoip::database to one"

// content is what was in a file, and the file as it was then.
type content struct {
	file fs.FileInfo
	data []byte
}

// readContent reads a file that nobody writes to meanwhile.
func readContent(path string) (content, error) {
	// Opening what is not a file may block: a named pipe waits for its writer.
	if info, err := os.Stat(path); err != nil {
		return content{}, fmt.Errorf("%w: %s", cause(err), remedy)
	} else if !info.Mode().IsRegular() {
		return content{}, fmt.Errorf("it is not a regular file: %s", remedy)
	}
	f, err := os.Open(path)
	if err != nil {
		return content{}, fmt.Errorf("%w: let the user that the Collector runs as read it", cause(err))
	}
	defer func() { _ = f.Close() }()
	return readFrom(f)
}

func readFrom(f *os.File) (content, error) {
	before, err := f.Stat()
	if err != nil {
		return content{}, cause(err)
	}
	if before.Size() > maxSize {
		return content{}, fmt.Errorf("it takes %d bytes, must be at most %d: %s", before.Size(), maxSize, remedy)
	}
	data := make([]byte, before.Size())
	if _, err := io.ReadFull(f, data); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return content{}, fmt.Errorf("read: %w", cause(err))
	}
	after, err := f.Stat()
	if err != nil {
		return content{}, cause(err)
	}
	if !unchanged(before, after) {
		return content{}, errors.New("it was written to while it was read: write another file, and rename that to it")
	}
	return content{file: before, data: data}, nil
}

// isCurrent reports whether the file at path seems to be the one that was read.
func (c content) isCurrent(path string) bool {
	info, err := os.Stat(path)
	return err == nil && unchanged(c.file, info)
}

func unchanged(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// isCompressed reports whether data are those of a gzip file, which is how some
// databases are handed out.
func isCompressed(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }

// cause is an error of the file system without the path, which its message has
// already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
