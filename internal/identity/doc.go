// Package identity says who a caller is and what it may do: scopes, roles,
// projects, the identity that an API key resolves to, the admission of one
// request, and the refusal that a caller gets instead.
//
// It is the vocabulary shared by the doors (the extension) and the processor.
// It knows nothing of credentials, storage or transports.
package identity
