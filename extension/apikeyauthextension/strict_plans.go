package apikeyauthextension

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"go.opentelemetry.io/collector/confmap"
)

var _ confmap.Unmarshaler = (*Config)(nil)

// Unmarshal implements confmap.Unmarshaler. It refuses what the decoder would
// take for something else without a word: a plan that was left empty for one
// without limits, 1.5 for 1, the number 1 for the name of some traffic.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	raw := conf.ToStringMap()
	if err := errors.Join(checkRawPlans(raw["plans"]), checkRawKeys(raw["keys"])); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// checkRawPlans leaves it to the decoder to refuse what is no map.
func checkRawPlans(raw any) error {
	plans, _ := raw.(map[string]any)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(plans)) {
		if plans[name] == nil {
			errs = append(errs, fmt.Errorf("plans::%s: is empty: list its limits, or write {} for a plan without any", name))
			continue
		}
		plan, _ := plans[name].(map[string]any)
		if err := checkRawPlan(plan); err != nil {
			errs = append(errs, fmt.Errorf("plans::%s::%w", name, err))
		}
	}
	return errors.Join(errs...)
}

func checkRawPlan(plan map[string]any) error {
	for _, setting := range []string{"limits", "concurrency"} {
		if value, given := plan[setting]; given && value == nil {
			return fmt.Errorf("%s: is empty: give it a value or leave it out", setting)
		}
	}
	if concurrency := plan["concurrency"]; isFraction(concurrency) {
		return fmt.Errorf("concurrency: %v is no whole number: must be 0 (any number) or more", concurrency)
	}
	return checkRawLimits(plan["limits"])
}

func checkRawKeys(raw any) error {
	keys, _ := raw.([]any)
	for i := range keys {
		key, _ := keys[i].(map[string]any)
		if err := checkRawLimits(key["limits"]); err != nil {
			return fmt.Errorf("keys::%d::%w", i, err)
		}
	}
	return nil
}

func checkRawLimits(raw any) error {
	limits, _ := raw.([]any)
	for i := range limits {
		l, _ := limits[i].(map[string]any)
		if err := checkRawLimit(l); err != nil {
			return fmt.Errorf("limits::%d::%w", i, err)
		}
	}
	return nil
}

func checkRawLimit(l map[string]any) error {
	for _, text := range []struct{ setting, example string }{{"on", "ingest"}, {"unit", "requests"}, {"window", "1m"}} {
		value := l[text.setting]
		if _, isText := value.(string); value != nil && !isText {
			return fmt.Errorf("%s: %v is no text: write it like %s", text.setting, value, text.example)
		}
	}
	if isFraction(l["max"]) {
		return fmt.Errorf("max: %v is no whole number: must be 1 or more", l["max"])
	}
	return nil
}

// isFraction reports whether the value would be cut when it is read as a whole
// number.
func isFraction(value any) bool {
	number, ok := value.(float64)
	return ok && (number != math.Trunc(number) || math.Abs(number) > 1<<53)
}
