# shellcheck shell=bash source=common.sh
# What the components read: certificates, kubeconfigs, their own files. To be read after common.sh.

# One authority, one key pair for service accounts, a certificate for each who speaks.
write_certificates() {
    cd "$dir/pki"
    key ca
    openssl req -x509 -new -key ca.key -subj "/CN=$name" -days 365 -out ca.crt
    key accounts
    openssl pkey -in accounts.key -pubout -out accounts.pub # the API server takes no PKCS8 key for one
    certificate apiserver "/CN=kube-apiserver" \
        "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:$address,IP:$first_service" &
    certificate node "/O=system:nodes/CN=system:node:$node" "IP:$node" &
    certificate admin "/O=system:masters/CN=admin" "DNS:admin" &
    certificate controllers "/CN=system:kube-controller-manager" "DNS:controllers" &
    certificate scheduler "/CN=system:kube-scheduler" "DNS:scheduler" &
    certificate proxy "/CN=system:kube-proxy" "DNS:proxy" &
    wait
    cd "$dir"
}

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2> /dev/null; }

certificate() { # FILE SUBJECT NAMES
    key "$1"
    openssl req -new -key "$1.key" -subj "$2" 2> /dev/null | openssl x509 -req -CA ca.crt -CAkey ca.key -days 365 \
        -extfile <(echo "extendedKeyUsage=serverAuth,clientAuth"; echo "subjectAltName=$3") -out "$1.crt" 2> /dev/null
}

write_kubeconfigs() {
    kubeconfig admin > kubeconfig
    local who
    for who in node controllers scheduler proxy; do kubeconfig "$who" > "conf/$who.kubeconfig"; done
}

kubeconfig() { # CERTIFICATE
    cat << END
apiVersion: v1
kind: Config
clusters: [{name: $name, cluster: {server: "https://$address:6443", certificate-authority: $dir/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $dir/pki/$1.crt, client-key: $dir/pki/$1.key}}]
contexts: [{name: $name, context: {cluster: $name, user: $1}}]
current-context: $name
END
}

write_containerd() {
    cat > conf/containerd.toml << END
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "$dir/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
disable_apparmor = true
restrict_oom_score_adj = true # else no sandbox starts without CAP_SYS_RESOURCE
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$dir/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "$dir/containerd/runc"
SystemdCgroup = false
END
    cat > "cni/10-$name.conflist" << END
{"cniVersion": "1.0.0", "name": "$name", "plugins": [{
    "type": "bridge", "bridge": "$name", "hairpinMode": true,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "$subnet", "gateway": "$address"}]],
        "routes": [{"dst": "$services"}], "dataDir": "$dir/run/addresses"}}]}
END
}

write_kubelet() {
    cat > conf/kubelet.yaml << END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
healthzBindAddress: 127.0.0.1
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $dir/pki/node.crt
tlsPrivateKeyFile: $dir/pki/node.key
containerRuntimeEndpoint: unix://$dir/run/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$name
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: [pods]
featureGates: {KubeletInUserNamespace: true} # what the machine refuses becomes a warning
oomScoreAdj: 0
maxOpenFiles: $(ulimit -Hn)
makeIPTablesUtilChains: false
podLogsDir: $dir/log/pods
volumePluginDir: $dir/kubelet/plugins
resolvConf: ""
podPidsLimit: 256
maxPods: 110
evictionHard: {memory.available: 100Mi, nodefs.available: 500Mi, imagefs.available: 500Mi}
imageGCHighThresholdPercent: 100 # an image of ours could not be pulled again
END
}

write_proxy() {
    mkdir run/proxy-tools
    ln -s "$(command -v nft)" run/proxy-tools/nft
    cat > conf/proxy.yaml << END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $dir/conf/proxy.kubeconfig}
hostnameOverride: "$node"
clusterCIDR: $subnet
bindAddress: 127.0.0.1
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
nodePortAddresses: [127.0.0.0/8, "::1/128"] # that is none: nftables mode leaves loopback out
nftables: {minSyncPeriod: 100ms}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s} # the machine's stay
oomScoreAdj: 0
END
}
