package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/migrations"
)

func migrateCommand(env environment) *cobra.Command {
	var config, role string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make or update verobridge's own tables in the warehouse",
		Long: `Make or update verobridge's own tables, in the schema verobridge.

serve does this by itself at start. Use migrate where serve has no right to: run
it before each new version as a role that may, and name the role of serve with
--grant-to. Without --config, DATABASE_URL alone is enough.`,
		Example: `  DATABASE_URL=postgres://admin@host/db verobridge migrate --grant-to verobridge`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := warehouseURL(config, env)
			if err != nil {
				return err
			}
			applied, err := migrations.Up(cmd.Context(), url)
			if err != nil {
				return err
			}
			for _, m := range applied {
				fmt.Fprintf(cmd.OutOrStdout(), "applied %s\n", m.Name)
			}
			if role != "" {
				if err := migrations.Grant(cmd.Context(), url, role); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "granted to %s\n", role)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "verobridge's tables are up to date")
			return nil
		},
	}
	configFlag(cmd, &config)
	cmd.Flags().StringVar(&role, "grant-to", "", "`role` that serve connects as, if it is another one")
	return cmd
}

// warehouseURL is all that migrate needs of the settings.
func warehouseURL(config string, env environment) (string, error) {
	if config != "" {
		s, err := loadSettings(config, env)
		return s.Warehouse.URL, err
	}
	url, _ := env("DATABASE_URL")
	if url == "" {
		return "", errors.New("DATABASE_URL is not set; set it to the URL of the Postgres warehouse (postgres://user:password@host/database)")
	}
	return url, nil
}

func configFlag(cmd *cobra.Command, config *string) {
	cmd.Flags().StringVarP(config, "config", "c", "", "settings `file`; without one, DATABASE_URL, APP_WRITE_KEY, VERO_WRITE_KEY and VERO_AUTH_TOKEN are enough")
}
