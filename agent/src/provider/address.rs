//! Which addresses may be endpoints: gateways dial them on behalf of strangers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether gateway and workload may share a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    Allowed,
    Refused,
}

/// The clouds' metadata services outside the link-local range: AWS over IPv6, Alibaba Cloud.
const METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Refuses addresses that no stranger may reach through us.
pub fn check(address: IpAddr, loopback: Loopback) -> Result<(), String> {
    let (link_local, reserved) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[0] >= 240 || v4.octets()[0] == 0),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), false),
    };
    let what = if address.is_unspecified() || reserved {
        "a reserved address (virtual IPs come from there)"
    } else if address.is_multicast() {
        "a multicast address"
    } else if link_local || METADATA.contains(&address) {
        "a link-local or metadata address, which no other cluster may reach"
    } else if address.is_loopback() && loopback == Loopback::Refused {
        return Err(format!(
            "`{address}` is a loopback address; use the machine's own address, or set \
             `allowLoopback: true` if gateway and workload share this machine"
        ));
    } else {
        return Ok(());
    };
    Err(format!("`{address}` is {what}; use the workload's own address"))
}
