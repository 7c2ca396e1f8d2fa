package cli

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// measureEvery is how soon a terminal that was resized is drawn anew.
const measureEvery = 200 * time.Millisecond

// The sequences that take a terminal's screen, and give it back as it was:
// alternate screen, no cursor, no line wrapping.
const (
	takeScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	giveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// The sequences that draw.
const (
	cursorHome  = "\x1b[H"
	clearScreen = "\x1b[2J"
	clearLine   = "\x1b[K" // from the cursor on
	clearBelow  = "\x1b[J"
)

// liveTop shows what is read on the whole terminal, until it is told to end.
func (p *program) liveTop(ctx context.Context, f *topFlags, c *connection, first *topView) error {
	ctx, done := untilInterrupted(ctx)
	defer done()
	keys, giveInput := p.takeInput()
	defer giveInput()
	refresh, measure := time.NewTicker(f.interval), time.NewTicker(measureEvery)
	defer refresh.Stop()
	defer measure.Stop()
	t := &liveTop{
		read: func(ctx context.Context) (*topView, error) { return c.readTop(ctx, f) },
		out:  p.stdout, size: func() (int, int) { return screenSize(p.stdout) }, colored: p.colored(), now: p.now,
		keys: keys, refresh: refresh.C, measure: measure.C,
	}
	return t.run(ctx, first)
}

// takeInput lets keys be read as they are pressed, where standard input is a
// terminal. ^C is a key then. Give ends that.
func (p *program) takeInput() (keys <-chan byte, give func()) {
	file, ok := p.stdin.(*os.File)
	if !ok || !isTerminal(file) {
		return nil, func() {}
	}
	before, err := term.MakeRaw(int(file.Fd()))
	if err != nil {
		return nil, func() {} // ^C ends it all the same
	}
	pressed := make(chan byte)
	go func() { // ends with the process, as nothing else ends a read from a terminal
		key := make([]byte, 1)
		for {
			if _, err := file.Read(key); err != nil {
				return
			}
			pressed <- key[0]
		}
	}()
	return pressed, func() { _ = term.Restore(int(file.Fd()), before) }
}

// liveTop draws views on a terminal.
type liveTop struct {
	read    func(context.Context) (*topView, error)
	out     io.Writer
	size    func() (width, height int)
	colored bool
	now     func() time.Time

	keys             <-chan byte      // nil: none can be read
	refresh, measure <-chan time.Time // when to read anew, and when to look whether the size changed

	view          *topView
	width, height int             // as it is drawn
	answers       chan topAnswer  // of what is being read
	reading       *sync.WaitGroup // likewise
	busy          bool            // likewise
	rest          time.Time       // until when the server asks not to be asked
}

// topAnswer is what a reading came to.
type topAnswer struct {
	view *topView
	err  error
}

// run takes the screen and gives it back, however it ends.
func (t *liveTop) run(ctx context.Context, first *topView) (err error) {
	t.view, t.answers, t.reading = first, make(chan topAnswer, 1), &sync.WaitGroup{}
	defer t.reading.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer func() {
		if e := t.write(giveScreen); err == nil {
			err = e
		}
	}()
	if err := t.write(takeScreen); err != nil {
		return err
	}
	for ended := false; !ended; {
		if err := t.draw(); err != nil {
			return err
		}
		if ended, err = t.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await returns when there is something else to draw, or the end has come.
func (t *liveTop) await(ctx context.Context) (ended bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return true, nil
		case key := <-t.keys:
			if isQuit(key) {
				return true, nil
			}
		case <-t.measure:
			if width, height := t.size(); width != t.width || height != t.height {
				return false, nil
			}
		case <-t.refresh:
			t.begin(ctx)
		case answer := <-t.answers:
			t.busy = false
			return false, t.take(answer)
		}
	}
}

// begin reads a new view, unless that is being done.
func (t *liveTop) begin(ctx context.Context) {
	if t.busy || t.now().Before(t.rest) {
		return
	}
	t.busy = true
	t.reading.Go(func() {
		view, err := t.read(ctx)
		t.answers <- topAnswer{view, err}
	})
}

// take shows an answer. Where there is none for a while, that is shown with
// what there was.
func (t *liveTop) take(answer topAnswer) error {
	if answer.err == nil {
		t.view = answer.view
		return nil
	}
	if !passes(answer.err, true) {
		return answer.err
	}
	t.rest = t.now().Add(askedPause(answer.err))
	stale := *t.view
	stale.trouble = redact(answer.err.Error())
	t.view = &stale
	return nil
}

const (
	ctrlC = 3
	ctrlD = 4
)

func isQuit(key byte) bool { return key == 'q' || key == 'Q' || key == ctrlC || key == ctrlD }

// draw writes over what is on the screen, line by line, which does not flicker.
func (t *liveTop) draw() error {
	var b strings.Builder
	width, height := t.size()
	if width != t.width || height != t.height {
		b.WriteString(clearScreen)
		t.width, t.height = width, height
	}
	b.WriteString(cursorHome)
	// The last column stays free: what follows would erase it.
	for i, line := range t.view.screen(width-1, height, t.colored) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + clearLine)
	}
	return t.write(b.String() + clearBelow)
}

func (t *liveTop) write(text string) error {
	if _, err := io.WriteString(t.out, text); err != nil {
		return refuse("see that the terminal is still there", "write to the terminal: %s", err)
	}
	return nil
}
