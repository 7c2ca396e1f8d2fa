// Package browser drives a headless Chromium, for tests of the pages and for their
// screenshots.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// ErrNoBrowser means that no Chromium is installed.
var ErrNoBrowser = errors.New("no Chromium is installed: apt-get install chromium")

// programs are the names of the browsers that can be driven, the first best.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// Browser is a running Chromium. Close it.
type Browser struct {
	context context.Context
	close   context.CancelFunc
}

// Start starts a Chromium that ends with the context, or when it is closed.
func Start(ctx context.Context) (*Browser, error) {
	program := ""
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, ErrNoBrowser
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, // for root, as in containers
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("lang", "en-US"),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	allocator, closeAllocator := chromedp.NewExecAllocator(ctx, options...)
	unknown := chromedp.WithErrorf(func(string, ...any) {}) // events of a newer browser
	browser, closeBrowser := chromedp.NewContext(allocator, unknown)
	b := &Browser{context: browser, close: func() { closeBrowser(); closeAllocator() }}
	if err := chromedp.Run(browser); err != nil {
		b.close()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return b, nil
}

// Close ends the browser and waits for it.
func (b *Browser) Close() {
	_ = chromedp.Cancel(b.context) // it may have ended
	b.close()
}

// View is how a page is looked at.
type View struct {
	Width, Height int
	Scale         float64 // of a pixel; zero means 1
	Phone         bool
	Dark          bool
	NoScripts     bool
	Zone          string // of time; empty means UTC
}

// Views of a desktop and of a phone.
var (
	Desktop = View{Width: 1280, Height: 860}
	Phone   = View{Width: 390, Height: 844, Phone: true}
)

// Tab is a page of the browser with cookies of its own. Close it.
type Tab struct {
	context  context.Context
	close    context.CancelFunc
	patience time.Duration
}

// Open opens a tab that gives each of its calls so much time.
func (b *Browser) Open(v View, patience time.Duration) (*Tab, error) {
	id, err := b.newTarget()
	if err != nil {
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	tab, closeTab := chromedp.NewContext(b.context, chromedp.WithTargetID(id))
	t := &Tab{context: tab, close: closeTab, patience: patience}
	err = chromedp.Run(tab) // the tab ends with the context of its first call
	if err == nil {
		err = t.Run(v.actions()...)
	}
	if err != nil {
		t.close()
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	return t, nil
}

// newTarget makes a window of its own, with cookies of its own. Chromedp would make
// a tab, for which the current headless mode has no window.
func (b *Browser) newTarget() (target.ID, error) {
	ctx := cdp.WithExecutor(b.context, chromedp.FromContext(b.context).Browser)
	own, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
	if err != nil {
		return "", err
	}
	return target.CreateTarget("about:blank").WithBrowserContextID(own).WithNewWindow(true).Do(ctx)
}

func (v View) actions() []chromedp.Action {
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	if v.Scale == 0 {
		v.Scale = 1
	}
	if v.Zone == "" {
		v.Zone = "UTC"
	}
	return []chromedp.Action{
		emulation.SetDeviceMetricsOverride(int64(v.Width), int64(v.Height), v.Scale, v.Phone),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		emulation.SetTimezoneOverride(v.Zone),
		emulation.SetScriptExecutionDisabled(v.NoScripts),
		emulation.SetLocaleOverride().WithLocale("en-US"),
	}
}

// Close closes the tab.
func (t *Tab) Close() { t.close() }

// Run carries out actions, one after the other.
func (t *Tab) Run(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(t.context, t.patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// Follow carries out actions that lead to another page, waits until that page is
// there, and returns the status it came with.
func (t *Tab) Follow(actions ...chromedp.Action) (status int, err error) {
	ctx, cancel := context.WithTimeout(t.context, t.patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		return 0, err
	}
	if answer == nil {
		return 0, errors.New("the actions led to no page")
	}
	return int(answer.Status), nil
}

// Listen calls hear with each event of the page, such as *log.EventEntryAdded. It
// must not run actions.
func (t *Tab) Listen(hear func(event any)) { chromedp.ListenTarget(t.context, hear) }

// Screenshot returns the page as a PNG: what is in view, or all of it.
func (t *Tab) Screenshot(whole bool) (png []byte, err error) {
	shot := chromedp.CaptureScreenshot(&png)
	if whole {
		shot = chromedp.FullScreenshot(&png, 100)
	}
	return png, t.Run(shot)
}
