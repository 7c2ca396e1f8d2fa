package demo

import "github.com/otlpgate/otlpgate/internal/identity"

// newPeople returns the company's people. Those of a key's story come before it.
func newPeople() []*person {
	lisbon, berlin := at("PT", 0, 2, 1), at("DE", 0, 2, 1)
	return []*person{
		{handle: "ines", name: "Inês Carvalho", email: "ines.carvalho@example.com", role: identity.AdminRole, age: 326, acts: "ines-cli", desk: lisbon},
		{handle: "tomasz", name: "Tomasz Zieliński", email: "tomasz.zielinski@example.com", role: identity.AdminRole, was: identity.Member, promoted: 240, age: 318, acts: "tomasz-cli", desk: at("PL", 0, 1, 1)},
		{handle: "amara", name: "Amara Okafor", email: "amara.okafor@example.com", role: identity.Member, age: 310, acts: "amara-cli", desk: at("GB", 0, 1, 1)},
		{handle: "kenji", name: "Kenji Watanabe", email: "kenji.watanabe@example.com", role: identity.Member, age: 302, acts: "kenji-cli", desk: at("JP", 0, 1, 1)},
		{handle: "priya", name: "Priya Raghunathan", email: "priya.raghunathan@example.com", role: identity.Member, age: 296, acts: "priya-laptop", desk: at("IN", 0, 1, 1)},
		{handle: "mei", name: "Mei-Ling Chen", email: "mei-ling.chen@example.com", role: identity.Member, age: 280, acts: "mei-cli", desk: berlin},
		{handle: "lucas", name: "Lucas Moreau", email: "lucas.moreau@example.com", role: identity.Member, age: 265, acts: "lucas-cli", desk: at("FR", 0, 1, 1)},
		{handle: "viktor", name: "Viktor Petrov", email: "viktor.petrov@example.com", role: identity.Member, age: 250, deleted: 47, acts: "viktor-bot", desk: berlin},
		{handle: "sofia", name: "Sofía Hernández", email: "sofia.hernandez@example.com", role: identity.Member, age: 232, acts: "sofia-cli", desk: at("ES", 0, 1, 1)},
		{handle: "hannah", name: "Hannah Brenner", email: "hannah.brenner@example.com", role: identity.Member, age: 214, deactivated: 24, acts: "hannah-local", desk: berlin},
		{handle: "fatima", name: "Fatima Zahra Benali", email: "fatima.benali@example.com", role: identity.Viewer, age: 178, acts: "fatima-notebook", desk: lisbon},
		{handle: "david", name: "David Mensah", email: "david.mensah@example.com", role: identity.Member, age: 150, acts: "david-cli", desk: at("IE", 0, 1, 1)},
		{handle: "oskar", name: "Oskar Lindqvist", email: "oskar.lindqvist@example.com", role: identity.Viewer, age: 96, acts: "oskar-reports", desk: at("SE", 0, 1, 1)},
		{handle: "noor", name: "Noor El-Sayed", email: "noor.el-sayed@example.com", role: identity.Member, was: identity.Viewer, promoted: 55, age: 71, acts: "noor-cli", desk: berlin},
	}
}
