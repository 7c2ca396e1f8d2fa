package apikeyprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otlpgate/otlpgate/internal/identity"
)

// part is a part of the key's identity, named as in the configuration.
type part string

const (
	partID          part = "id"
	partName        part = "name"
	partType        part = "type"
	partEnvironment part = "environment"
	partOwner       part = "owner"
	partPlan        part = "plan"
)

// of returns the part's value, empty where the identity has none.
func (p part) of(id *identity.Identity) string {
	switch p {
	case partID:
		return id.KeyID
	case partName:
		return id.KeyName
	case partType:
		return string(id.KeyType)
	case partEnvironment:
		return string(id.Environment)
	case partOwner:
		return id.OwnerID
	case partPlan:
		return id.Plan
	}
	return ""
}

// attributeName is the name under which a part is written.
type attributeName struct {
	part part
	name string
}

// cleanResource removes what the sender set under reserved names, and tags the
// resource where that is the level.
func (g *passage) cleanResource(attributes pcommon.Map) {
	g.clean(attributes)
	if g.config.Tag == TagResource {
		g.tag(attributes)
	}
}

// cleanRecord does the same for a span, data point or log record.
func (g *passage) cleanRecord(attributes pcommon.Map) {
	g.clean(attributes)
	if g.config.Tag == TagRecord {
		g.tag(attributes)
	}
}

// clean removes what the sender set under reserved names.
func (g *passage) clean(attributes pcommon.Map) { g.removed += g.reserved.strip(attributes) }

func (g *passage) tag(attributes pcommon.Map) {
	for _, n := range g.names {
		if value := n.part.of(g.admission.Identity); value != "" {
			attributes.PutStr(n.name, value)
		}
	}
}
