package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSecretsInChangesAreShownByTheirHint(t *testing.T) {
	secret := func(hint string, end any) any {
		return map[string]any{"hint": hint, "createdAt": "2026-07-01T09:30:00Z", "expiresAt": end}
	}
	assert.Equal(t, "[px_sys_a…b px_sys_c…d until 2026-07-02T09:30:00Z]",
		valueText([]any{secret("px_sys_a…b", nil), secret("px_sys_c…d", "2026-07-02T09:30:00Z")}))
	assert.Equal(t, "{\"on\":5}", valueText(map[string]any{"on": 5}))
}
