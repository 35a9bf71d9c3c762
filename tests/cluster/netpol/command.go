// Package netpol enforces NetworkPolicy between the pods of one bridge.
package netpol

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	core "k8s.io/client-go/informers/core/v1"
	networking "k8s.io/client-go/informers/networking/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// gather is how long changes that come together are waited for, to be one replacement of the table.
const gather = 50 * time.Millisecond

// Command makes the component. Its rules are one nftables table, which is replaced as a whole. Asked to end, it takes
// the table with it, so that stopping it makes a cluster whose network enforces no policy; killed, it leaves the table.
func Command() *cobra.Command {
	var kubeconfig string
	var place place
	command := &cobra.Command{
		Use:          "netpol",
		Short:        "Enforce NetworkPolicy on a bridge (IPv4)",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			context, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return enforce(context, informers.NewSharedInformerFactory(client, 0), place)
		},
	}
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	command.Flags().StringVar(&place.bridge, "bridge", "", "the pods' bridge")
	command.Flags().StringVar(&place.subnet, "subnet", "", "the bridge's and the pods' addresses")
	command.Flags().StringVar(&place.services, "services", "", "the Services' addresses")
	command.Flags().StringVar(&place.table, "table", "", "name of the nftables table")
	return command
}

// enforce keeps the table true to what the API server says, until the context ends.
func enforce(context context.Context, factory informers.SharedInformerFactory, place place) error {
	watched := sources{
		pods:       factory.Core().V1().Pods(),
		namespaces: factory.Core().V1().Namespaces(),
		policies:   factory.Networking().V1().NetworkPolicies(),
	}
	changed, err := watched.changes()
	if err != nil {
		return err
	}
	factory.Start(context.Done())
	factory.WaitForCacheSync(context.Done())
	last := ""
	for {
		select {
		case <-context.Done():
			return nft(fmt.Sprintf("add table inet %[1]s\ndelete table inet %[1]s\n", place.table))
		case <-changed:
		}
		time.Sleep(gather)
		state, err := watched.network()
		if err != nil {
			return err
		}
		rules := state.rules(place)
		if rules == last {
			continue
		}
		if err := nft(rules); err != nil {
			return err
		}
		last = rules
		klog.Infof("rules replaced: %d bytes", len(rules))
	}
}

func nft(rules string) error {
	command := exec.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(rules)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, output)
	}
	return nil
}

type sources struct {
	pods       core.PodInformer
	namespaces core.NamespaceInformer
	policies   networking.NetworkPolicyInformer
}

// changes tells that something may have changed; it does so once at the beginning.
func (s sources) changes() (<-chan struct{}, error) {
	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for _, informer := range []cache.SharedIndexInformer{s.pods.Informer(), s.namespaces.Informer(), s.policies.Informer()} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { note() },
			UpdateFunc: func(any, any) { note() },
			DeleteFunc: func(any) { note() },
		})
		if err != nil {
			return nil, err
		}
	}
	note()
	return changed, nil
}

func (s sources) network() (state network, err error) {
	if state.pods, err = s.pods.Lister().List(labels.Everything()); err != nil {
		return
	}
	if state.namespaces, err = s.namespaces.Lister().List(labels.Everything()); err != nil {
		return
	}
	state.policies, err = s.policies.Lister().List(labels.Everything())
	return
}
