//! Who looks after a cluster's DNS, and what has to be done where it is not for us to change it.
//! Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::corefile;

/// What was found of a cluster's DNS.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The Corefile of the ConfigMap `coredns`, and the labels of that.
    pub(super) corefile: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    /// Whether there is a ConfigMap `coredns-custom`.
    pub(super) custom: bool,
    /// Whether there is a ConfigMap `node-local-dns`.
    pub(super) node_local: bool,
    /// Whether there is a Deployment `kube-dns`.
    pub(super) kube_dns: bool,
    /// Whether there is a namespace `openshift-dns`.
    pub(super) openshift: bool,
}

/// Why we do not write, and what does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instead {
    pub(super) why: &'static str,
    pub(super) what: String,
}

/// `None` where the Corefile is ours to write.
pub(super) fn instead(found: &Found, proxies: IpAddr) -> Option<Instead> {
    let block = corefile::block(53, proxies);
    if found.openshift {
        let servers = format!(
            "{{\"spec\":{{\"servers\":[{{\"name\":\"rialto\",\"zones\":[\"clusterset.local\"],\
             \"forwardPlugin\":{{\"upstreams\":[\"{proxies}\"]}}}}]}}}}"
        );
        let what = format!("oc patch dns.operator/default --type=merge --patch '{servers}'\n");
        return Some(Instead { why: "OpenShift's DNS operator writes the configuration", what });
    }
    if found.node_local {
        let what = format!(
            "Add this block to the Corefile of the ConfigMap `node-local-dns` in kube-system, with \
             the `bind` line of its other blocks, and restart the DaemonSet of that name:\n\n\
             {block}"
        );
        return Some(Instead {
            why: "pods ask a cache on their node, which forwards other names past CoreDNS",
            what,
        });
    }
    if found.kube_dns && found.corefile.is_none() {
        let stub = format!("{{\"clusterset.local\": [\"{proxies}\"]}}");
        let patch = serde_json::json!({"data": {"stubDomains": stub}});
        let what = format!(
            "kubectl --namespace kube-system patch configmap kube-dns --type=merge --patch \
             '{patch}'\n(keep the stub domains that are there already)\n"
        );
        return Some(Instead { why: "the cluster's DNS is kube-dns, not CoreDNS", what });
    }
    let Some(corefile) = &found.corefile else {
        let what = format!(
            "Forward `clusterset.local` to {proxies}, without a cache; in CoreDNS:\n\n{block}"
        );
        let why = "there is no ConfigMap `coredns` in kube-system";
        return Some(Instead { why, what });
    };
    if found.custom || corefile::imports(corefile).is_some() {
        let patch = serde_json::json!({"data": {"rialto.server": block}});
        let what = format!(
            "kubectl --namespace kube-system patch configmap coredns-custom --type=merge --patch \
             '{patch}'\nkubectl --namespace kube-system rollout restart deployment coredns\n"
        );
        let why = "the platform manages CoreDNS and takes what is ours from `coredns-custom`";
        return Some(Instead { why, what });
    }
    if found.labels.get("addonmanager.kubernetes.io/mode").is_some_and(|mode| mode == "Reconcile") {
        let what = format!(
            "Put this block where the add-on manager takes its Corefile from, or write it anyway \
             with `--force` (it may be taken out again):\n\n{block}"
        );
        return Some(Instead { why: "an add-on manager writes the configuration anew", what });
    }
    if found.labels.get("eks.amazonaws.com/component").is_some_and(|part| part == "coredns") {
        let what = format!(
            "If CoreDNS is an add-on of EKS (`aws eks describe-addon --addon-name coredns`), give \
             it a `corefile` with this block in front (`aws eks update-addon \
             --configuration-values`); if you run it yourself, `--force` writes it:\n\n{block}"
        );
        return Some(Instead { why: "EKS may write the configuration anew", what });
    }
    None
}

#[cfg(test)]
mod tests;
