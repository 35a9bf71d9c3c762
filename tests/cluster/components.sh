# shellcheck shell=bash source=common.sh
# The daemons: how each is started, when it works, how it ends. To be read after common.sh.

# In the order in which they start.
components="containerd etcd kube-apiserver kube-controller-manager kube-scheduler netpol kubelet kube-proxy"

is_component() { [[ " $components " == *" $1 "* ]]; }

# Sets $command to a component's command line; paths are relative to $dir where the component lets them.
command_of() {
    case $1 in
        containerd) command=(containerd --config "$dir/conf/containerd.toml") ;;
        etcd) command=(run/etcd --data-dir "$dir/etcd") ;;
        # The one thing on the bridge's address, and on no other: so it needs no relay, and the endpoints of the
        # Service kubernetes, which may not be loopback, are right by themselves.
        kube-apiserver) command=(run/kube-apiserver
            --etcd-servers http://127.0.0.1:2379 --bind-address "$address" --secure-port 6443
            --service-cluster-ip-range "$services"
            --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction
            --client-ca-file pki/ca.crt --tls-cert-file pki/apiserver.crt --tls-private-key-file pki/apiserver.key
            --service-account-issuer https://kubernetes.default.svc
            --service-account-key-file pki/accounts.pub --service-account-signing-key-file pki/accounts.key
            --kubelet-client-certificate pki/admin.crt --kubelet-client-key pki/admin.key
            --kubelet-certificate-authority pki/ca.crt --kubelet-preferred-address-types Hostname) ;;
        # Its own rate limit would have the default service accounts come seconds late.
        kube-controller-manager) command=(run/kube-controller-manager --kubeconfig conf/controllers.kubeconfig
            --bind-address 127.0.0.1 --leader-elect=false
            --use-service-account-credentials --kube-api-qps 500 --kube-api-burst 1000
            --service-account-private-key-file pki/accounts.key --root-ca-file pki/ca.crt
            --flex-volume-plugin-dir "$dir/kubelet/plugins") ;;
        kube-scheduler) command=(run/kube-scheduler --kubeconfig conf/scheduler.kubeconfig
            --bind-address 127.0.0.1 --leader-elect=false) ;;
        netpol) command=(run/netpol --kubeconfig kubeconfig --table "$name"
            --bridge "$name" --subnet "$subnet" --services "$services") ;;
        kubelet) command=(run/kubelet --config "$dir/conf/kubelet.yaml" --kubeconfig conf/node.kubeconfig
            --root-dir "$dir/kubelet" --cert-dir "$dir/pki" --hostname-override "$node") ;;
        # At its start it clears away what its other modes may have left, all IPVS of the machine included: in this
        # PATH it finds nft and none of the tools for that.
        kube-proxy) command=(env PATH="$dir/run/proxy-tools" run/kube-proxy --config conf/proxy.yaml) ;;
    esac
}

# Whether a component does its work. A process alone proves little, and after a restart the node's condition is the
# old one for a while: hence the ports.
works() {
    case $1 in
        containerd) container version ;;
        etcd) opens 127.0.0.1 2379 ;;
        kube-apiserver) kubectl get --raw /readyz ;;
        kube-controller-manager) opens 127.0.0.1 10257 ;;
        kube-scheduler) opens 127.0.0.1 10259 ;;
        netpol) nft list table inet "$name" ;;
        kubelet) opens 127.0.0.1 10250 && kubectl wait --for=condition=Ready --timeout=1s "node/$node" ;;
        kube-proxy) opens 127.0.0.1 10256 && nft get element ip kube-proxy cluster-ips "{ $first_service }" ;;
    esac > /dev/null 2>&1
}

opens() { (exec 3<> "/dev/tcp/$1/$2") 2> /dev/null; }

# Starts a component that outlives this script and its terminal, in our cgroup.
start() {
    local command
    command_of "$1"
    (echo "$BASHPID" > "$(cgroup)/system/cgroup.procs"; cd "$dir"; exec setsid "${command[@]}") \
        >> "$dir/log/$1.log" 2>&1 < /dev/null &
    echo $! > "$dir/run/$1.pid"
    echo $! 2> /dev/null > "$(cgroup)/system/cgroup.procs" || true # by now, for sure
    disown
}

# Waits until a condition holds; fails when time is up, or when the named component has died.
until_works() { # COMPONENT COMMAND...
    local component=$1 deadline=$((SECONDS + 60))
    shift
    until "$@" > /dev/null 2>&1; do
        alive "$component" || { echo "$component died:"; tail -5 "$dir/log/$component.log"; return 1; } >&2
        [ $SECONDS -lt $deadline ] || { echo "$component does not work in time: $*" >&2; return 1; }
        sleep 0.1
    done
}

# Ends one component and waits until it is gone: asked first, or at once with KILL. The API server, once asked, waits a
# minute for others to hang up: longer than anybody here wants to.
stop() { # COMPONENT TERM|KILL
    alive "$1" || return 0
    local pid deadline=$((SECONDS + 10))
    pid=$(cat "$dir/run/$1.pid")
    kill -"$2" "$pid" 2> /dev/null || true
    while alive "$1"; do
        [ $SECONDS -lt $deadline ] || kill -KILL "$pid" 2> /dev/null || true
        sleep 0.05
    done
}
