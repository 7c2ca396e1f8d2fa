package apikeyprocessor

import (
	"context"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/otlpgate/otlpgate/internal/identity"
)

func (p *apiKeyProcessor) processProfiles(ctx context.Context, pd pprofile.Profiles) (pprofile.Profiles, error) {
	g, err := p.enter(ctx, identity.Profiles, pd.ProfileCount(), pd.SampleCount())
	if err != nil {
		return pd, err
	}
	pd.ResourceProfiles().RemoveIf(func(rp pprofile.ResourceProfiles) bool { return g.refuses(rp.Resource()) })
	if err := g.checkProjects(pd.ProfileCount(), pd.SampleCount()); err != nil {
		return pd, err
	}
	if err := g.spend(func() int { return new(pprofile.ProtoMarshaler).ProfilesSize(pd) }); err != nil {
		return pd, err
	}
	dictionary := profileAttributes{dictionary: pd.Dictionary()}
	dictionary.takeOut(g)
	if g.config.Tag == TagRecord {
		dictionary.putIn(g)
	}
	for _, rp := range pd.ResourceProfiles().All() {
		g.cleanResource(rp.Resource().Attributes())
		for _, sp := range rp.ScopeProfiles().All() {
			g.clean(sp.Scope().Attributes())
			for _, profile := range sp.Profiles().All() {
				dictionary.cleanProfile(profile)
			}
		}
	}
	g.leave()
	return pd, nil
}

// profileAttributes edits the attributes of profiles, which are indices into a
// table that all profiles of a request share.
type profileAttributes struct {
	dictionary pprofile.ProfilesDictionary
	sent       int            // how many entries the sender's table has
	forbidden  map[int32]bool // which of them may not be referred to
	tags       []int32        // what every profile is to refer to
}

// takeOut empties and forbids the table's reserved entries, and removes the
// references to them from the dictionary itself.
//
// So it does with entries and references that lead nowhere: they would come to
// mean whatever is appended to the tables, here or by an exporter, such as the
// name of an attribute of the key's identity.
func (a *profileAttributes) takeOut(g *passage) {
	table := a.dictionary.AttributeTable()
	a.sent, a.forbidden = table.Len(), map[int32]bool{}
	nothing := pprofile.NewKeyValueAndUnit()
	for i, entry := range table.All() {
		name, ok := a.text(entry.KeyStrindex())
		spoofed := g.reserved.cover(name)
		if spoofed {
			g.removed++
		}
		if spoofed || !ok {
			nothing.CopyTo(entry)
			a.forbidden[int32(i)] = true
			continue
		}
		if entry.Value().Type() == pcommon.ValueTypeMap && g.reserved.below(name) {
			g.removed += g.reserved.stripBelow(entry.Value().Map(), name+".")
		}
	}
	for _, location := range a.dictionary.LocationTable().All() {
		a.unlink(location.AttributeIndices())
	}
	for _, mapping := range a.dictionary.MappingTable().All() {
		a.unlink(mapping.AttributeIndices())
	}
}

// text returns the string at index. Index 0 stands for the empty string, which an
// empty table need not hold.
func (a *profileAttributes) text(index int32) (string, bool) {
	table := a.dictionary.StringTable()
	if index >= 0 && int(index) < table.Len() {
		return table.At(int(index)), true
	}
	return "", index == 0
}

// unlink removes the references to entries that are forbidden or do not exist.
func (a *profileAttributes) unlink(indices pcommon.Int32Slice) {
	indices.RemoveIf(func(i int32) bool { return i < 0 || int(i) >= a.sent || a.forbidden[i] })
}

// putIn adds the key's identity to the table. Its first entry, like that of the
// string table, must stay the empty one.
func (a *profileAttributes) putIn(g *passage) {
	table := a.dictionary.AttributeTable()
	if table.Len() == 0 {
		table.AppendEmpty()
	}
	for _, n := range g.names {
		value := n.part.of(g.admission.Identity)
		if value == "" {
			continue
		}
		// Appended and not looked up: an equal entry can only be a forbidden one.
		entry := table.AppendEmpty()
		entry.SetKeyStrindex(a.index(n.name))
		entry.Value().SetStr(value)
		a.tags = append(a.tags, int32(table.Len()-1))
	}
}

// index returns where a string is in the table, adding it if need be. Unlike
// pprofile.SetString it never returns 0, which means none, even if a sender has
// put something there.
func (a *profileAttributes) index(text string) int32 {
	table := a.dictionary.StringTable()
	if table.Len() == 0 {
		table.Append("")
	}
	for i := 1; i < table.Len(); i++ {
		if table.At(i) == text {
			return int32(i)
		}
	}
	table.Append(text)
	return int32(table.Len() - 1)
}

func (a *profileAttributes) cleanProfile(profile pprofile.Profile) {
	a.unlink(profile.AttributeIndices())
	for _, sample := range profile.Samples().All() {
		a.unlink(sample.AttributeIndices())
	}
	profile.AttributeIndices().Append(a.tags...)
}
