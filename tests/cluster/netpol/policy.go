package netpol

import (
	"fmt"
	"net/netip"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// allowed says whether any policy isolates the pod in this direction, and the rules that then accept.
func (n network) allowed(pod *core.Pod, direction networking.PolicyType) (isolated bool, rules string) {
	var out strings.Builder
	for _, policy := range n.policies {
		if policy.Namespace != pod.Namespace || !matches(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		for _, kind := range policy.Spec.PolicyTypes {
			if kind != direction {
				continue
			}
			isolated = true
			if direction == networking.PolicyTypeIngress {
				for _, rule := range policy.Spec.Ingress {
					n.accept(&out, "saddr", policy.Namespace, rule.From, rule.Ports, pod)
				}
			} else {
				for _, rule := range policy.Spec.Egress {
					n.accept(&out, "daddr", policy.Namespace, rule.To, rule.Ports, nil)
				}
			}
		}
	}
	return isolated, out.String()
}

// accept writes one rule for each peer and port. A port's name means a port of the receiving pod:
// receiver where that is known, else the peer.
func (n network) accept(out *strings.Builder, side, namespace string, peers []networking.NetworkPolicyPeer,
	ports []networking.NetworkPolicyPort, receiver *core.Pod) {
	write := func(match string, to *core.Pod) {
		if len(ports) == 0 {
			fmt.Fprintf(out, "  %s accept\n", match)
		}
		for _, port := range ports {
			if portMatch := portMatch(port, to); portMatch != "" {
				fmt.Fprintf(out, "  %s %s accept\n", match, portMatch)
			}
		}
	}
	if len(peers) == 0 {
		write("", receiver)
	}
	for _, peer := range peers {
		if block := peer.IPBlock; block != nil {
			if prefix, err := netip.ParsePrefix(block.CIDR); err != nil || !prefix.Addr().Is4() {
				continue
			}
			match := "ip " + side + " " + block.CIDR
			for _, except := range block.Except {
				match += " ip " + side + " != " + except
			}
			write(match, receiver)
			continue
		}
		for _, pod := range n.pods {
			if !hasAddress(pod) || !n.isPeer(pod, peer, namespace) {
				continue
			}
			to := receiver
			if to == nil {
				to = pod
			}
			write("ip "+side+" "+pod.Status.PodIP, to)
		}
	}
}

func (n network) isPeer(pod *core.Pod, peer networking.NetworkPolicyPeer, namespace string) bool {
	if peer.PodSelector != nil && !matches(peer.PodSelector, pod.Labels) {
		return false
	}
	if peer.NamespaceSelector == nil {
		return pod.Namespace == namespace
	}
	for _, candidate := range n.namespaces {
		if candidate.Name == pod.Namespace {
			return matches(peer.NamespaceSelector, candidate.Labels)
		}
	}
	return false
}

func matches(selector *meta.LabelSelector, set map[string]string) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

func portMatch(port networking.NetworkPolicyPort, receiver *core.Pod) string {
	protocol := core.ProtocolTCP
	if port.Protocol != nil {
		protocol = *port.Protocol
	}
	name := strings.ToLower(string(protocol))
	switch {
	case port.Port == nil:
		return "meta l4proto " + name
	case port.EndPort != nil:
		return fmt.Sprintf("%s dport %d-%d", name, port.Port.IntVal, *port.EndPort)
	case port.Port.Type == intstr.Int:
		return fmt.Sprintf("%s dport %d", name, port.Port.IntVal)
	case receiver != nil:
		for _, container := range receiver.Spec.Containers {
			for _, candidate := range container.Ports {
				if candidate.Name == port.Port.StrVal && candidate.Protocol == protocol {
					return fmt.Sprintf("%s dport %d", name, candidate.ContainerPort)
				}
			}
		}
	}
	return ""
}
