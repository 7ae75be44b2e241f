package people

import "testing"

// An account's id is a group's: it may equal the userId of somebody else.
func TestAccountsAreNotPeople(t *testing.T) {
	t.Parallel()
	columns := []string{"id", "email"}
	for name, want := range map[string]string{"users": "id::text = any($1)", "accounts": ""} {
		if got := (relation{Schema: "web", Name: name, Columns: columns}).about(); got != want {
			t.Errorf("rows about a person in %s: %q, want %q", name, got, want)
		}
	}
}
