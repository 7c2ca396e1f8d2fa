package badgerstore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// watermark is a file beside Badger's that holds the number of the newest
// acknowledged change. A truncated log, a lost table or an emptied directory
// looks to Badger like an older state, which it opens without a word; a change
// number below the watermark tells.
//
// The file is one line: "otlpgate watermark", the format version, the number in
// 20 digits, the CRC-32 (IEEE) of all before it. It is written after each
// commit and before the acknowledgement, and synced by the operating system
// when it likes: Badger's files are synced before, so the mark can lag behind
// them but never lead. Who has no backup can delete the file and so go on
// without the changes that are missing, revocations among them.
type watermark struct{ file *os.File }

const watermarkText = "otlpgate watermark 1 %020d "

// readWatermark returns the mark of a directory, zero where it has none.
func readWatermark(directory string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(directory, watermarkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("read watermark: %w", err)
	}
	var change uint64
	if _, err := fmt.Sscanf(string(text), watermarkText, &change); err != nil || string(text) != watermarkLine(change) {
		return 0, fmt.Errorf("file %s is garbled", watermarkFile)
	}
	return change, nil
}

func watermarkLine(change uint64) string {
	line := fmt.Sprintf(watermarkText, change)
	return fmt.Sprintf("%s%08x\n", line, crc32.ChecksumIEEE([]byte(line)))
}

// openWatermark opens or creates the mark and sets it.
func openWatermark(directory string, change uint64) (*watermark, error) {
	f, err := os.OpenFile(filepath.Join(directory, watermarkFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open watermark: %w", err)
	}
	w := &watermark{f}
	if err := errors.Join(f.Truncate(int64(len(watermarkLine(change)))), w.set(change)); err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

func (w *watermark) set(change uint64) error {
	if _, err := w.file.WriteAt([]byte(watermarkLine(change)), 0); err != nil {
		return fmt.Errorf("write watermark: %w", err)
	}
	return nil
}

func (w *watermark) close() error {
	return errors.Join(w.file.Sync(), w.file.Close())
}
