# shellcheck shell=bash disable=SC2034
# What all scripts share; `set_dir DIR` comes first. Everything that a cluster is lies in its folder $dir, in the
# cgroup, the bridge and the nftables table $name, which is made of the folder's, and in kube-proxy's two tables of
# fixed name. The cgroup tells which processes are ours: a number in a file may have become another's.
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # where administrators' programs lie, runc among them
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${CARREL_CLUSTER_BIN:?set it to the cluster binary; cargo xtask kube build prints its path}
node=127.0.0.1
subnet=10.250.0.0/24
address=10.250.0.1 # the bridge's: where pods and clients find the API server
services=10.96.0.0/16
first_service=10.96.0.1 # the API server's own
# What the kubelet changes for the whole machine; `down` puts it back.
sysctls="vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops"

die() { echo "$*" >&2; exit 1; }

set_dir() {
    [ -n "${1:-}" ] || die "usage: $(basename "$0") DIR ..."
    dir=$(realpath -m "$1")
    [[ $dir =~ ^/[A-Za-z0-9._/-]{1,60}$ ]] || die "$dir: sockets need a path of at most 60 plain characters"
    name=carrel-$(sha256sum <<< "$dir" | head -c 6)
}

# The hierarchies in which the cluster has its cgroup: all of version 1's, or version 2's one.
hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }
# The one that tells which processes are ours.
cgroup() { if [ -d /sys/fs/cgroup/pids ]; then echo "/sys/fs/cgroup/pids/$name"; else echo "/sys/fs/cgroup/$name"; fi; }
members() { find "$(cgroup)" -name cgroup.procs -exec cat {} + 2> /dev/null || true; }
alive() { [ -s "$dir/run/$1.pid" ] && members | grep -qx "$(cat "$dir/run/$1.pid")"; }

mounts() { awk -v "at=$dir/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }
has_bridge() { ip link show dev "$name" > /dev/null 2>&1; }
container() { ctr --address "$dir/run/containerd.sock" --namespace k8s.io "$@"; }
kubectl() { KUBECONFIG=$dir/kubeconfig "$binary" kubectl "$@"; }
