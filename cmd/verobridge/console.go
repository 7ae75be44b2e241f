package main

import "github.com/verobridge/verobridge/internal/console"

// openConsole makes the pages of the admin address.
func (b *bridge) openConsole() error {
	var err error
	b.console, err = console.New(console.Options{
		Password: b.settings.Admin.Password,
		Version:  version(),
		Logger:   b.log,
	})
	return err
}
