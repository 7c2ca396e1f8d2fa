// Command screenshots takes pictures of the pages of a running collector.
//
//	screenshots --url http://localhost:4319 --key-file build/demo-data/admin.key --into docs/images
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/otlpgate/otlpgate/internal/browser"
)

func main() {
	url := flag.String("url", "http://localhost:4319", "where the pages are")
	keyFile := flag.String("key-file", "", "file with the key to sign in with")
	into := flag.String("into", "docs/images", "directory for the pictures")
	only := flag.String("only", "", "take only the picture with this name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, *keyFile, *into, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// picture is one to take.
type picture struct {
	name  string
	path  string // of the page, or of one that leads to it
	link  string // the text of the link to follow from there; empty: none
	dark  bool
	phone bool
	whole bool
}

// pictures are those that the README and the documentation show.
var pictures = []picture{
	{name: "keys", path: "/keys?sort=-lastUsedAt"},
	{name: "create", path: "/keys/new", whole: true},
	{name: "key-dark", path: "/keys?q=ios-app", link: "ios-app", dark: true},
	{name: "key-phone", path: "/keys?q=ios-app", link: "ios-app", phone: true},
	{name: "rotation", path: "/system-keys?q=llm-gateway", link: "llm-gateway"},
	{name: "usage", path: "/usage?period=30d"},
	{name: "alerts", path: "/alerts"},
}

const (
	patience = time.Minute
	scale    = 1.5 // of pixels: sharp on most screens, at half the size that 2 would make
)

func run(ctx context.Context, url, keyFile, into, only string) error {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("read --key-file: %w", err)
	}
	if err := os.MkdirAll(into, 0o750); err != nil {
		return fmt.Errorf("make --into: %w", err)
	}
	if err := await(ctx, url); err != nil {
		return err
	}
	b, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, p := range pictures {
		if only != "" && only != p.name {
			continue
		}
		fmt.Fprintln(os.Stderr, p.name)
		png, err := take(b, p, url, strings.TrimSpace(string(key))) //nolint:contextcheck // the browser has the context
		if err != nil {
			return fmt.Errorf("take %s: %w", p.name, err)
		}
		if err := os.WriteFile(filepath.Join(into, p.name+".png"), png, 0o644); err != nil { //nolint:gosec // pictures to be published
			return fmt.Errorf("write %s: %w", p.name, err)
		}
	}
	return nil
}

// await waits until the collector serves the pages.
func await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
		if err != nil {
			return fmt.Errorf("read --url: %w", err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close() // a probe
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to be ready: %w", url, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func take(b *browser.Browser, p picture, url, key string) ([]byte, error) {
	view := browser.Desktop
	if p.phone {
		view = browser.Phone
	}
	view.Dark, view.Scale = p.dark, scale
	tab, err := b.Open(view, patience)
	if err != nil {
		return nil, err
	}
	defer tab.Close()
	actions := []chromedp.Action{
		chromedp.Navigate(url + "/sign-in"), chromedp.SendKeys("#key", key+"\n"), chromedp.WaitVisible("nav"),
		chromedp.Navigate(url + p.path), chromedp.WaitVisible("h1"),
	}
	if p.link != "" {
		actions = append(actions, chromedp.Click(`//main//a[normalize-space()="`+p.link+`"]`, chromedp.BySearch), chromedp.WaitVisible(".subnav"))
	}
	if err := tab.Run(actions...); err != nil {
		return nil, err
	}
	return tab.Screenshot(p.whole)
}
