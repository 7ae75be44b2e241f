package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/migrations"
)

func migrateCommand(env environment) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make or update verobridge's own tables in the warehouse",
		Long: `Make or update verobridge's own tables, in the schema verobridge.

serve does this by itself at start. Use migrate where serve has no right to
create tables: run it once, before each new version, as a role that may.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(config, env)
			if err != nil {
				return err
			}
			applied, err := migrations.Up(cmd.Context(), s.Warehouse.URL)
			if err != nil {
				return err
			}
			for _, m := range applied {
				fmt.Fprintf(cmd.OutOrStdout(), "applied %s\n", m.Name)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "verobridge's tables are up to date")
			return nil
		},
	}
	configFlag(cmd, &config)
	return cmd
}

func configFlag(cmd *cobra.Command, config *string) {
	cmd.Flags().StringVarP(config, "config", "c", "", "settings `file`; without one, DATABASE_URL, APP_WRITE_KEY, VERO_WRITE_KEY and VERO_AUTH_TOKEN are enough")
}
