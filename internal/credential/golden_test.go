package credential

// A key and its digest made by another implementation (Python's zlib and
// hashlib): should they stop to match, every issued key would be refused.
const (
	goldenKey    = "px_live_0123456789abcdefghijABCDEFGHIJ33vVhC"
	goldenDigest = "sha256:f1d54f0b09fba35eae249ff13dfcea0d04ab3f35baefd296fd538a5d0737b0f4"
)
