package apikeyprocessor

import (
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/component"
)

// Config configures the processor.
type Config struct {
	// Authenticator is the id of the apikeyauth extension whose word counts.
	// It may be left out where there is one.
	Authenticator component.ID `mapstructure:"authenticator"`
	// Tag says where the key's identity is written.
	Tag TagLevel `mapstructure:"tag"`
	// Attributes are the names under which it is written.
	Attributes AttributesConfig `mapstructure:"attributes"`
	// ProjectAttribute is the resource attribute that names the project.
	ProjectAttribute string `mapstructure:"project_attribute"`
}

// TagLevel is where the key's identity is written.
type TagLevel string

// TagRecord writes it on each span, data point, log record or profile,
// TagResource on the resource, TagNone nowhere.
const (
	TagRecord   TagLevel = "span"
	TagResource TagLevel = "resource"
	TagNone     TagLevel = "none"
)

// AttributesConfig names the attribute of each part of the key's identity. A
// part with an empty name is not written.
type AttributesConfig struct {
	ID          string `mapstructure:"id"`
	Name        string `mapstructure:"name"`
	Type        string `mapstructure:"type"`
	Environment string `mapstructure:"environment"`
	Owner       string `mapstructure:"owner"`
	Plan        string `mapstructure:"plan"`
}

// named lists the parts that have a name, in a fixed order.
func (c AttributesConfig) named() []attributeName {
	all := []attributeName{
		{partID, c.ID},
		{partName, c.Name},
		{partType, c.Type},
		{partEnvironment, c.Environment},
		{partOwner, c.Owner},
		{partPlan, c.Plan},
	}
	named := all[:0]
	for _, a := range all {
		if a.name != "" {
			named = append(named, a)
		}
	}
	return named
}

// Validate implements confmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	switch c.Tag {
	case TagRecord, TagResource, TagNone:
	default:
		errs = append(errs, fmt.Errorf("tag: unknown level %q: must be span, resource or none", c.Tag))
	}
	switch {
	case strings.TrimSpace(c.ProjectAttribute) == "":
		errs = append(errs, errors.New("project_attribute: must not be empty: name the resource attribute that holds the project, such as openinference.project.name"))
	case newReservedNames(nil).cover(c.ProjectAttribute):
		errs = append(errs, fmt.Errorf("project_attribute: %q is in the namespace %s, which is taken from senders: name an attribute that they set", c.ProjectAttribute, reservedRoot))
	}
	return errors.Join(append(errs, c.validateNames())...)
}

func (c *Config) validateNames() error {
	var errs []error
	partOf := map[string]part{}
	for _, a := range c.Attributes.named() {
		if other, taken := partOf[a.name]; taken {
			errs = append(errs, fmt.Errorf("attributes::%s: %q is already the name of attributes::%s: give each part a name of its own", a.part, a.name, other))
		}
		if a.name == c.ProjectAttribute || liesBelow(c.ProjectAttribute, a.name) {
			errs = append(errs, fmt.Errorf("attributes::%s: %q would take the project_attribute %q from senders: choose another name", a.part, a.name, c.ProjectAttribute))
		}
		partOf[a.name] = a.part
	}
	return errors.Join(errs...)
}
