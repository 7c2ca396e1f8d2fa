package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otlpgate/otlpgate/internal/browser"
)

// theBrowser is that of all tests, started by the first that needs it.
var theBrowser struct {
	sync.Mutex
	*browser.Browser
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if theBrowser.Browser != nil {
		theBrowser.Close()
	}
	os.Exit(code)
}

// sharedBrowser returns the browser of all tests.
func sharedBrowser(t *testing.T) *browser.Browser {
	t.Helper()
	theBrowser.Lock()
	defer theBrowser.Unlock()
	if theBrowser.Browser == nil && theBrowser.err == nil {
		theBrowser.Browser, theBrowser.err = browser.Start(context.Background())
	}
	if errors.Is(theBrowser.err, browser.ErrNoBrowser) {
		missing(t, "%s", theBrowser.err)
	}
	require.NoError(t, theBrowser.err)
	return theBrowser.Browser
}

// views are how people look at pages, each difference at least once.
var views = map[string]browser.View{"desktop, light": browser.Desktop, "phone, dark": dark(browser.Phone)}

func dark(v browser.View) browser.View {
	v.Dark = true
	return v
}

// startWithPages starts a collector for tests of its pages.
func startWithPages(t *testing.T, o options) *collector {
	t.Helper()
	sharedBrowser(t)
	return start(t, o)
}

// page is a window of the browser, with cookies of its own, on the pages of a
// collector.
type page struct {
	t   *testing.T
	tab *browser.Tab
	c   *collector

	mu         sync.Mutex
	complaints []string // of the browser
}

// pageTime is how long a step on a page may take.
const pageTime = 30 * time.Second

// open opens a window. At the end of the test the browser must have had nothing to
// complain of: no error of a script, nothing that the policy of the pages forbids.
func (c *collector) open(t *testing.T, v browser.View) *page {
	t.Helper()
	tab, err := sharedBrowser(t).Open(v, pageTime)
	require.NoError(t, err)
	p := &page{t: t, tab: tab, c: c}
	tab.Listen(p.hear)
	t.Cleanup(func() {
		tab.Close()
		assert.Empty(t, p.complained(), "the browser complains")
	})
	return p
}

// hear notes what the browser complains of. That a page was answered with an error
// is none of that: the tests say which are.
func (p *page) hear(event any) {
	complaint := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		status := strings.HasPrefix(e.Entry.Text, "Failed to load resource: the server responded") && !strings.Contains(e.Entry.URL, "/assets/")
		if (e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning) && !status {
			complaint = fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			complaint = fmt.Sprintf("console.%s: %v", e.Type, e.Args)
		}
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Error()
	}
	if complaint != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.complaints = append(p.complaints, complaint)
	}
}

// complained returns what the browser complained of, and forgets it.
func (p *page) complained() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	complaints := p.complaints
	p.complaints = nil
	return complaints
}

// run carries out actions.
func (p *page) run(actions ...chromedp.Action) {
	p.t.Helper()
	if err := p.tab.Run(actions...); err != nil {
		require.NoError(p.t, err, p.describe())
	}
}

// lead carries out actions that lead to another page, and returns its status.
func (p *page) lead(actions ...chromedp.Action) int {
	p.t.Helper()
	status, err := p.tab.Follow(actions...)
	if err != nil {
		require.NoError(p.t, err, p.describe())
	}
	return status
}

// describe tells what is to be seen, for whom a test has failed.
func (p *page) describe() string {
	var at, text string
	err := p.tab.Run(chromedp.Location(&at), chromedp.Text("body", &text))
	return fmt.Sprintf("at %s: %s (%v)", at, text, err)
}

// visit goes to a page and returns its status.
func (p *page) visit(path string) int {
	p.t.Helper()
	return p.lead(chromedp.Navigate("http://" + p.c.admin.address + path))
}

// at returns the path of the page, with its query.
func (p *page) at() string {
	p.t.Helper()
	var text string
	p.run(chromedp.Location(&text))
	u, err := url.Parse(text)
	require.NoError(p.t, err)
	return u.RequestURI()
}

// click clicks on what a selector or an XPath finds first.
func (p *page) click(selector string) {
	p.t.Helper()
	p.run(chromedp.Click(selector, by(selector)))
}

// follow clicks on what leads to another page, and returns the page's status.
func (p *page) follow(selector string) int {
	p.t.Helper()
	return p.lead(chromedp.Click(selector, by(selector)))
}

// by tells CSS selectors from XPaths.
func by(selector string) chromedp.QueryOption {
	if strings.HasPrefix(selector, "/") {
		return chromedp.BySearch
	}
	return chromedp.ByQuery
}

// link and button find those with a text in the page itself, or in its dialog.
func link(text string) string   { return `//main//a[normalize-space()="` + text + `"]` }
func button(text string) string { return `//button[normalize-space()="` + text + `"]` }

// fill pastes a text in place of what an input has.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	all := input.DispatchKeyEvent(input.KeyDown).WithCommands([]string{"selectAll"})
	p.run(chromedp.Focus(selector, chromedp.ByQuery), all, input.DispatchKeyEvent(input.KeyUp))
	if text == "" {
		p.run(chromedp.KeyEvent(kb.Delete))
		return
	}
	p.run(input.InsertText(text))
}

// in lets a subtest use the page.
func (p *page) in(t *testing.T) {
	t.Helper()
	outer := p.t
	p.t = t
	t.Cleanup(func() { p.t = outer })
}

// set gives an input a value that nobody types: a date, or a choice of a list.
func (p *page) set(selector, value string) {
	p.t.Helper()
	p.run(chromedp.SetValue(selector, value, chromedp.ByQuery))
}

// pick clicks on a choice.
func (p *page) pick(name, value string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`input[name=%q][value=%q]`, name, value))
}

// filter sets a filter of a list, which applies at once, and returns the status of
// the page that it leads to.
func (p *page) filter(name, value string) int {
	p.t.Helper()
	return p.lead(chromedp.Evaluate(fmt.Sprintf(`{
		const input = document.querySelector("form.filters [name=%s]");
		input.value = %q;
		input.dispatchEvent(new Event("change", {bubbles: true}));
	}`, name, value), nil))
}

// text returns the text of what a selector finds first, without needless space.
func (p *page) text(selector string) string {
	p.t.Helper()
	var text string
	p.run(chromedp.TextContent(selector, &text, by(selector)))
	return strings.Join(strings.Fields(text), " ")
}

// texts returns those of all that a selector finds.
func (p *page) texts(selector string) []string {
	p.t.Helper()
	texts := []string{}
	p.run(chromedp.Evaluate(fmt.Sprintf(`Array.from(document.querySelectorAll(%q), e => e.textContent.trim().split(/\s+/).join(" "))`, selector), &texts))
	return texts
}

// has reports whether a selector finds anything now.
func (p *page) has(selector string) bool {
	p.t.Helper()
	return len(p.texts(selector)) > 0
}

// value returns what an input has.
func (p *page) value(selector string) string {
	p.t.Helper()
	var value string
	p.run(chromedp.Value(selector, &value, chromedp.ByQuery))
	return value
}

// attribute returns an attribute of what a selector finds first, empty without one.
func (p *page) attribute(selector, name string) string {
	p.t.Helper()
	var value string
	p.run(chromedp.AttributeValue(selector, name, &value, nil, by(selector)))
	return value
}

// await waits until there is something to be seen.
func (p *page) await(selector string) {
	p.t.Helper()
	p.run(chromedp.WaitVisible(selector, by(selector)))
}

// signIn signs in with a key and is led to the list of keys.
func (p *page) signIn(secret string) {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, p.visit("/sign-in"))
	p.fill("#key", secret)
	require.Equal(p.t, http.StatusOK, p.follow(button("Sign in")), p.describe())
	require.Equal(p.t, "/keys", p.at())
}

// openSignedIn opens a window of the administrator's.
func (c *collector) openSignedIn(t *testing.T, v browser.View) *page {
	t.Helper()
	p := c.open(t, v)
	p.signIn(c.secret)
	return p
}

// cookies are those of the window.
func (p *page) cookies() (cookies []*http.Cookie) {
	p.t.Helper()
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		held, err := network.GetCookies().Do(ctx)
		for _, c := range held {
			cookies = append(cookies, &http.Cookie{Name: c.Name, Value: c.Value})
		}
		return err
	}))
	return cookies
}

// fetch gets a page without the browser, in its session. The vault hears it.
func (p *page) fetch(path string, cookies []*http.Cookie) reply {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.c.admin.address+path, http.NoBody)
	require.NoError(p.t, err)
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	return doHTTP(p.t, p.c.admin.http, r)
}

var hrefs = regexp.MustCompile(`href="([^"]+)"`)

// crawl fetches every page that a link of another leads to, of each kind of page no
// more than a few, and returns them by their paths.
func (p *page) crawl() map[string]string {
	p.t.Helper()
	cookies, pages, kinds, from := p.cookies(), map[string]string{}, map[string]int{}, map[string]string{}
	for queue := []string{"/keys"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		if _, seen := pages[path]; seen {
			continue
		}
		got := p.fetch(path, cookies)
		require.Equal(p.t, http.StatusOK, got.status, "%s, to which %s leads", path, from[path])
		pages[path] = got.body
		for _, match := range hrefs.FindAllStringSubmatch(got.body, -1) {
			at, err := url.Parse(path)
			require.NoError(p.t, err)
			next, err := at.Parse(strings.ReplaceAll(match[1], "&amp;", "&"))
			require.NoError(p.t, err)
			next.Fragment = ""
			to, kind := next.RequestURI(), kindOfPage(next.Path)
			if _, found := from[to]; found || strings.HasPrefix(to, "/assets/") || kinds[kind] == 20 {
				continue
			}
			kinds[kind]++
			queue, from[to] = append(queue, to), path
		}
	}
	return pages
}

var ids = regexp.MustCompile(`/(key|user)_[^/?]+|/usr_[^/?]+`)

// kindOfPage is the pattern of a path.
func kindOfPage(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return ids.ReplaceAllString(path, "/{id}")
}

// nowhere checks that no page has a secret, nor what of it nobody may see.
func (p *page) nowhere(secret string) {
	p.t.Helper()
	pages := p.crawl()
	assert.Greater(p.t, len(pages), 20, "the crawl finds the pages")
	for path, text := range pages {
		assert.NotContains(p.t, text, needle(secret), path)
	}
}

// numberOfKeys is how many there are, the bootstrap key too.
func (c *collector) numberOfKeys(t *testing.T) int {
	t.Helper()
	return len(c.statuses(t))
}

// keyNamed returns the only key of that name.
func (c *collector) keyNamed(t *testing.T, name string) (k key) {
	t.Helper()
	for id, k := range c.allKeys(t) {
		if k.Name == name {
			return key{id: id}
		}
	}
	require.Fail(t, "there is no such key", name)
	return k
}

// sorted is for lists whose order says nothing.
func sorted[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	slices.Sort(texts)
	return texts
}

// awaitPromise waits for what a script promises.
func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
