// Package limit knows the plans that a key can be on.
package limit

// BuiltinPlans lists the plans that exist without being configured.
func BuiltinPlans() []string { return []string{"free", "pro", "enterprise"} }

// DefaultPlan is the built-in plan of keys that name none.
const DefaultPlan = "free"
