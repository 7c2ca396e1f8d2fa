package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that pages load.
type asset struct {
	content     []byte
	contentType string
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets are those files by the name that they are served under, which has a hash
// of the content, so that browsers can keep them for good; assetNames is that name
// by the file's own.
var assets, assetNames = loadAssets()

func loadAssets() (byName map[string]asset, names map[string]string) {
	byName, names = map[string]asset{}, map[string]string{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		content, err := assetFiles.ReadFile(path.Join("assets", entry.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		extension := path.Ext(entry.Name())
		name := strings.TrimSuffix(entry.Name(), extension) + "." + hex.EncodeToString(sum[:6]) + extension
		byName[name] = asset{content, assetTypes[extension]}
		names[entry.Name()] = name
	}
	return byName, names
}

// assetPath is where a file is served.
func assetPath(file string) string { return "/assets/" + assetNames[file] }

func serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.content) // the browser is gone otherwise
	}
}
