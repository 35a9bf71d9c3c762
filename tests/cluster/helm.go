package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	helm "helm.sh/helm/v4/pkg/cmd"
)

func helmCommand() *cobra.Command {
	command, err := helm.NewRootCmd(os.Stdout, os.Args[1:], helm.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return command
}
