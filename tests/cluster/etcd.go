package main

import (
	"flag"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcdCommand runs one member for a cluster that is thrown away: plain HTTP on loopback, and no fsync, since
// what a power cut loses nobody wants back. A killed process loses nothing by that.
func etcdCommand() *cobra.Command {
	var folder, client, peer string
	command := &cobra.Command{
		Use:          "etcd",
		Short:        "One etcd member for a cluster that is thrown away",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			config, err := etcdConfig(folder, client, peer)
			if err != nil {
				return err
			}
			return runEtcd(config)
		},
	}
	command.Flags().StringVar(&folder, "data-dir", "", "folder for the data")
	command.Flags().StringVar(&client, "listen-client-url", "http://127.0.0.1:2379", "address for clients")
	command.Flags().StringVar(&peer, "listen-peer-url", "http://127.0.0.1:2380", "address for peers")
	command.Flags().AddGoFlagSet(flag.CommandLine)
	return command
}

func etcdConfig(folder, client, peer string) (*embed.Config, error) {
	clientURL, err := url.Parse(client)
	if err != nil {
		return nil, err
	}
	peerURL, err := url.Parse(peer)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Name = "etcd"
	config.Dir = folder
	config.ListenClientUrls = []url.URL{*clientURL}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{*peerURL}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true
	config.WarningUnaryRequestDuration = time.Second // nought would log every request
	config.AutoCompactionMode = embed.CompactorModePeriodic
	config.AutoCompactionRetention = "10m"
	return config, nil
}

func runEtcd(config *embed.Config) error {
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case <-stop:
		return nil
	case err := <-server.Err():
		return err
	}
}
