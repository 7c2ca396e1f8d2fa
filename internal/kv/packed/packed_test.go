package packed

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAValueIsReadAsItWasWritten(t *testing.T) {
	var w Writer
	w.Text("traces")
	w.Number(0)
	w.Text("")
	w.Number(MaxNumber + 1)
	w.Text("traces")
	w.Number(-1)
	r := NewReader(w.AppendTo(nil))
	assert.Equal(t, "traces", r.Text())
	assert.Zero(t, r.Number())
	assert.Empty(t, r.Text())
	assert.EqualValues(t, MaxNumber, r.Number())
	assert.Equal(t, "traces", r.Text())
	assert.Zero(t, r.Number(), "there are no negative counts")
	require.NoError(t, r.End())
	require.NoError(t, NewReader((&Writer{}).AppendTo(nil)).End())
}

func TestATextIsWrittenOnce(t *testing.T) {
	var once, often Writer
	once.Text("a rather long text")
	for range 10 {
		often.Text("a rather long text")
	}
	assert.Len(t, often.AppendTo(nil), len(once.AppendTo(nil))+9)
}

func TestWhatIsLeftOrMissingIsGarbled(t *testing.T) {
	var w Writer
	w.Text("a")
	w.Number(300)
	value := w.AppendTo(nil)
	r := NewReader(value)
	r.Text()
	require.ErrorIs(t, r.End(), ErrGarbled, "a number is left")
	for n := range value {
		r := NewReader(value[:n])
		r.Text()
		r.Number()
		assert.ErrorIs(t, r.End(), ErrGarbled, n)
	}
}

func FuzzReader(f *testing.F) {
	var w Writer
	w.Text("a")
	w.Number(300)
	f.Add(w.AppendTo(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, value []byte) {
		r := NewReader(value)
		for range 100 {
			r.Text()
			assert.GreaterOrEqual(t, r.Number(), int64(0))
			assert.LessOrEqual(t, r.Count(), len(value))
		}
		_ = r.End()
	})
}
