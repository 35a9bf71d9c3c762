package netpol

import (
	"fmt"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// place is where the rules apply and what they are called.
type place struct{ table, bridge, subnet, services string }

// network is what the API server says at one moment.
type network struct {
	pods       []*core.Pod
	namespaces []*core.Namespace
	policies   []*networking.NetworkPolicy
}

// rules is the whole table. A pod whose address is not learned yet can neither send nor receive.
//
// The two directions are chains of their own, because accept ends only one. All see addresses as kube-proxy has
// translated them. What then still goes to a Service has no endpoint and is refused, unless a policy drops it;
// kube-proxy refuses later, when the kernel has spent its limit of such answers on redirects. Nothing is forwarded
// between the bridge and others, nor do these reach its address.
func (n network) rules(place place) string {
	var known, egress, ingress, chains strings.Builder
	for _, pod := range n.pods {
		if !hasAddress(pod) {
			continue
		}
		address := pod.Status.PodIP
		fmt.Fprintf(&known, "%s,", address)
		for _, direction := range []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress} {
			isolated, allowed := n.allowed(pod, direction)
			if !isolated {
				continue
			}
			verdicts, peer := &ingress, "saddr"
			if direction == networking.PolicyTypeEgress {
				verdicts, peer = &egress, "daddr"
			}
			chain := fmt.Sprintf("%s_%s", direction, strings.ReplaceAll(address, ".", "_"))
			fmt.Fprintf(verdicts, "%s : goto %s,", address, chain)
			// A pod always reaches itself, also through its Service.
			fmt.Fprintf(&chains, "chain %s {\n  ip %s %s accept\n%s  drop\n}\n", chain, peer, address, allowed)
		}
	}
	return fmt.Sprintf(`add table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
set known { type ipv4_addr; %[3]s }
map egress { type ipv4_addr : verdict; %[4]s }
map ingress { type ipv4_addr : verdict; %[5]s }
%[6]schain from_pod {
  ct state established,related accept
  meta nfproto ipv6 drop
  ip saddr != @known drop
  ip saddr vmap @egress
}
chain to_pod {
  ct state established,related accept
  meta nfproto ipv6 drop
  ip daddr != @known drop
  ip daddr vmap @ingress
}
chain service_from { type filter hook prerouting priority -99; iifname %[2]s ip daddr %[8]s jump from_pod; }
chain service_refuse { type filter hook prerouting priority -98; iifname %[2]s ip daddr %[8]s reject; }
chain forward_from {
  type filter hook forward priority 0;
  iifname %[2]s oifname != %[2]s drop
  iifname != %[2]s oifname %[2]s drop
  iifname %[2]s jump from_pod
}
chain input_from {
  type filter hook input priority 0;
  iifname %[2]s jump from_pod
  iifname != { lo, %[2]s } ip daddr %[7]s drop
}
chain forward_to { type filter hook forward priority 1; oifname %[2]s jump to_pod; }
}
`, place.table, place.bridge, elements(&known), elements(&egress), elements(&ingress), chains.String(), place.subnet,
		place.services)
}

func elements(list *strings.Builder) string {
	if list.Len() == 0 {
		return ""
	}
	return "elements = { " + list.String() + " }"
}

func hasAddress(pod *core.Pod) bool {
	return pod.Status.PodIP != "" && !pod.Spec.HostNetwork &&
		pod.Status.Phase != core.PodSucceeded && pod.Status.Phase != core.PodFailed
}
