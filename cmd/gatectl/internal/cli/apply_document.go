package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/otlpgate/otlpgate/internal/declaration"
)

const (
	usersSection      = "users"
	keysSection       = "keys"
	extensionsSection = "extensions"
	extensionType     = "apikeyauth"
)

// declared is a file that declares users and keys.
type declared struct {
	document declaration.Document
	sections *yaml.Node // the mapping that holds users and keys
}

// parseDeclared reads a YAML file, of which JSON is a part. Extension names the
// one that counts where the file is a collector's configuration with several.
// Its errors, a line each, say where the file is wrong.
func parseDeclared(content []byte, extension string) (*declared, error) {
	root, err := parseYAML(content)
	if err != nil {
		return nil, err
	}
	sections, err := sectionsOf(root, extension)
	if err != nil {
		return nil, err
	}
	d := &declared{sections: sections}
	if err := d.decode(); err != nil {
		return nil, err
	}
	return d, d.validate()
}

// parseYAML returns the one document of a file, a mapping.
func parseYAML(content []byte) (*yaml.Node, error) {
	in := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	err := in.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: must declare users or keys")
	}
	if err != nil {
		return nil, yamlFailure(err)
	}
	root := resolved(document.Content[0])
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: must be a mapping with the sections users and keys", root.Line)
	}
	if err := in.Decode(&more); err == nil {
		return nil, fmt.Errorf("line %d: a second document begins: must be one", more.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlFailure(err)
	}
	return root, nil
}

// yamlFailure takes the name of the package off its errors, and keys out of
// what they quote.
func yamlFailure(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n  ")
	return errors.New(redact(strings.ReplaceAll(text, "\n  ", "\n")))
}

// sectionsOf returns the mapping that holds the sections: the whole file, or an
// extension of a collector's configuration.
func sectionsOf(root *yaml.Node, extension string) (*yaml.Node, error) {
	extensions := child(root, extensionsSection)
	if extensions == nil {
		if extension != "" {
			return nil, misuse("leave --extension out", "--extension %q: the file is no configuration of a collector, but holds users and keys itself", extension)
		}
		return root, checkSections(root)
	}
	name, err := pickExtension(extensions, extension)
	if err != nil {
		return nil, err
	}
	section := child(extensions, name)
	if section.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the extension %s declares nothing: must have users or keys", section.Line, printable(name))
	}
	return section, nil
}

// checkSections refuses what is no section where the file has nothing else.
func checkSections(root *yaml.Node) error {
	var errs []error
	for i := 0; i < len(root.Content); i += 2 {
		if name := root.Content[i]; name.Value != usersSection && name.Value != keysSection {
			errs = append(errs, fmt.Errorf("line %d: no such section: %s%s", name.Line,
				quoted(redact(shorten(name.Value, maxNameColumn))), meant(name.Value, []string{usersSection, keysSection})))
		}
	}
	return errors.Join(errs...)
}

// pickExtension returns the name of the extension that counts.
func pickExtension(extensions *yaml.Node, wanted string) (string, error) {
	var names []string
	if extensions.Kind == yaml.MappingNode {
		for i := 0; i < len(extensions.Content); i += 2 {
			if kind, _, _ := strings.Cut(extensions.Content[i].Value, "/"); strings.TrimSpace(kind) == extensionType {
				names = append(names, extensions.Content[i].Value)
			}
		}
	}
	switch {
	case len(names) == 0:
		return "", fmt.Errorf("line %d: no extension is of the type %s", extensions.Line, extensionType)
	case wanted == "" && len(names) > 1:
		return "", misuse("choose one with --extension "+printable(names[0]), "the file has several extensions of the type %s: %s", extensionType, printable(strings.Join(names, ", ")))
	case wanted == "":
		return names[0], nil
	case !slices.Contains(names, wanted):
		return "", misuse("name one of "+printable(strings.Join(names, ", ")), "--extension %q: the file has no such extension", wanted)
	}
	return wanted, nil
}

// decode reads the sections, each of which is a list.
func (d *declared) decode() error {
	users, keys := child(d.sections, usersSection), child(d.sections, keysSection)
	if users == nil && keys == nil {
		return fmt.Errorf("line %d: declares nothing: must have users or keys; write keys: [] to withdraw all keys", d.sections.Line)
	}
	var errs []error
	d.document.Users = decodeList[declaration.User](users, usersSection, &errs)
	d.document.Keys = decodeList[declaration.Key](keys, keysSection, &errs)
	return errors.Join(errs...)
}

func decodeList[T any](list *yaml.Node, section string, errs *[]error) []T {
	if list == nil {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		*errs = append(*errs, fmt.Errorf("line %d: %s must be a list; write [] to declare none", list.Line, section))
		return nil
	}
	records := make([]T, len(list.Content))
	for i, item := range list.Content {
		decodeRecord(resolved(item), fmt.Sprintf("%s[%d]", section, i), &records[i], errs)
	}
	return records
}

// validate checks the document by the rules that the server has too.
func (d *declared) validate() error {
	_, err := d.document.Records(nil)
	rules := declaration.Errors(err)
	if err != nil && len(rules) == 0 {
		return err
	}
	errs := make([]error, len(rules))
	for i, rule := range rules {
		errs[i] = fmt.Errorf("%s: %s", d.place(rule.Path), rule.Rule)
	}
	return errors.Join(errs...)
}

// placeText says where in the file a place in the request is.
func (d *declared) placeText(pointer string) string {
	if !strings.HasPrefix(pointer, "/") {
		return pointer
	}
	steps := strings.Split(pointer[1:], "/")
	for i := range steps {
		steps[i] = snakeCase(strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[i]))
	}
	return d.place(steps)
}

// place names a path of the document, and its line as far as it is there.
func (d *declared) place(path []string) string {
	line, node := d.sections.Line, d.sections
	var name strings.Builder
	for _, step := range path {
		if isIndex(step) {
			name.WriteString("[" + step + "]")
		} else {
			if name.Len() > 0 {
				name.WriteByte('.')
			}
			name.WriteString(printable(step))
		}
		if node = child(node, step); node != nil {
			line = node.Line
		}
	}
	if name.Len() == 0 {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("line %d, %s", line, name.String())
}

// child returns what a mapping holds under a name, or a list at an index; nil
// where there is nothing.
func child(node *yaml.Node, step string) *yaml.Node {
	if node == nil {
		return nil
	}
	node = resolved(node)
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return resolved(node.Content[i+1])
			}
		}
	case yaml.SequenceNode:
		if i, ok := index(step); ok && i < len(node.Content) {
			return resolved(node.Content[i])
		}
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
	return nil
}

// resolved returns what an alias stands for, which is never an alias itself.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

// texts calls visit with every text of a value, names of fields included.
func texts(value any, visit func(string)) {
	switch v := value.(type) {
	case string:
		visit(v)
	case []any:
		for _, item := range v {
			texts(item, visit)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(name)
			texts(v[name], visit)
		}
	}
}
