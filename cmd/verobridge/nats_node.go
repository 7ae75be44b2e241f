package main

import (
	"github.com/spf13/cobra"

	"github.com/verobridge/verobridge/internal/natscluster"
	"github.com/verobridge/verobridge/internal/torture"
)

// natsNodeCommand is a node of the NATS cluster that torture breaks.
func natsNodeCommand() *cobra.Command {
	return &cobra.Command{
		Use:    torture.NodeCommand + " description",
		Short:  "Be a node of the NATS cluster that torture breaks",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return natscluster.Serve(cmd.Context(), args[0]) },
	}
}
