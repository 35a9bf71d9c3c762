package netpol

import (
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var here = place{table: "t", bridge: "br", subnet: "10.250.0.0/24", services: "10.96.0.0/16"}

func pod(name, address string, labels map[string]string) *core.Pod {
	port := core.ContainerPort{Name: "web", ContainerPort: 8080, Protocol: core.ProtocolTCP}
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name, Namespace: "exams", Labels: labels},
		Spec:       core.PodSpec{Containers: []core.Container{{Ports: []core.ContainerPort{port}}}},
		Status:     core.PodStatus{PodIP: address, Phase: core.PodRunning},
	}
}

func policy(spec networking.NetworkPolicySpec) *networking.NetworkPolicy {
	return &networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Name: "p", Namespace: "exams"}, Spec: spec}
}

func expect(t *testing.T, rules string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(rules, want) {
			t.Errorf("%q is missing in:\n%s", want, rules)
		}
	}
}

func TestAPodWithoutPolicyIsKnownAndNotIsolated(t *testing.T) {
	rules := network{pods: []*core.Pod{pod("a", "10.250.0.7", nil)}}.rules(here)
	expect(t, rules, "set known { type ipv4_addr; elements = { 10.250.0.7, } }", "map egress { type ipv4_addr : verdict;  }")
}

func TestDefaultDenyDropsAllButThePodItself(t *testing.T) {
	deny := policy(networking.NetworkPolicySpec{
		PolicyTypes: []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress},
	})
	rules := network{
		pods:     []*core.Pod{pod("a", "10.250.0.7", nil)},
		policies: []*networking.NetworkPolicy{deny},
	}.rules(here)
	expect(t, rules,
		"chain Egress_10_250_0_7 {\n  ip daddr 10.250.0.7 accept\n  drop\n}",
		"chain Ingress_10_250_0_7 {\n  ip saddr 10.250.0.7 accept\n  drop\n}")
}

func TestANamedPortIsThePeersAndAnExceptIsLeftOut(t *testing.T) {
	web, all := intstr.FromString("web"), map[string]string{"role": "server"}
	allow := policy(networking.NetworkPolicySpec{
		PodSelector: meta.LabelSelector{MatchLabels: map[string]string{"role": "client"}},
		PolicyTypes: []networking.PolicyType{networking.PolicyTypeEgress},
		Egress: []networking.NetworkPolicyEgressRule{
			{
				To:    []networking.NetworkPolicyPeer{{PodSelector: &meta.LabelSelector{MatchLabels: all}}},
				Ports: []networking.NetworkPolicyPort{{Port: &web}},
			},
			{To: []networking.NetworkPolicyPeer{{IPBlock: &networking.IPBlock{CIDR: "10.0.0.0/8", Except: []string{"10.1.0.0/16"}}}}},
		},
	})
	rules := network{
		pods: []*core.Pod{
			pod("client", "10.250.0.7", map[string]string{"role": "client"}),
			pod("server", "10.250.0.8", all),
		},
		policies: []*networking.NetworkPolicy{allow},
	}.rules(here)
	expect(t, rules,
		"  ip daddr 10.250.0.8 tcp dport 8080 accept\n",
		"  ip daddr 10.0.0.0/8 ip daddr != 10.1.0.0/16 accept\n")
	if strings.Contains(rules, "chain Egress_10_250_0_8") {
		t.Errorf("the server is isolated, although no policy selects it:\n%s", rules)
	}
}

func TestAPodThatHasEndedGivesItsAddressBack(t *testing.T) {
	ended := pod("a", "10.250.0.7", nil)
	ended.Status.Phase = core.PodSucceeded
	expect(t, network{pods: []*core.Pod{ended}}.rules(here), "set known { type ipv4_addr;  }")
}
