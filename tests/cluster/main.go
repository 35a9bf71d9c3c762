// Command cluster is every component of the test bed in one file: etcd, the Kubernetes control plane, kubelet,
// kube-proxy, an enforcer of NetworkPolicy, and the clients kubectl and helm. One binary, because the components share
// most of their code. The name it is called by chooses the component; failing that, its first argument.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	_ "time/tzdata"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"carrel-cluster/netpol"
)

// Each entry makes its command only when asked: a command, once made, owns the process's signal handler and its
// feature gates.
var components = map[string]func() *cobra.Command{
	"etcd":                    etcdCommand,
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"netpol":                  netpol.Command,
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
	"helm":                    helmCommand,
}

func main() {
	name := filepath.Base(os.Args[0])
	if components[name] == nil && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	command := components[name]
	if command == nil {
		names := strings.Join(slices.Sorted(maps.Keys(components)), "|")
		fmt.Fprintf(os.Stderr, "usage: cluster %s ...\n", names)
		os.Exit(2)
	}
	if name == "kubectl" { // it words its errors itself
		if err := cli.RunNoErrOutput(command()); err != nil {
			kubectlutil.CheckErr(err)
		}
		return
	}
	os.Exit(cli.Run(command()))
}
