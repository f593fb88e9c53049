//! A gateway of the chosen cluster: one that is up, by draw; else one that was never heard.

use rialto_types::error::Code;
use rialto_types::id::ClusterName;

use super::cluster::{Field, GatewayUse};
use super::trace::{Stage, Trace};
use super::{Refusal, Target, place};

pub(super) fn choose<'a, T: Trace>(
    field: &Field<'a, '_>,
    cluster: &'a ClusterName,
    draw: u64,
    trace: &mut T,
) -> Result<Target<'a>, Refusal> {
    if T::IS_ON {
        for gateway in field.gateways(cluster) {
            let state = field.gateway_state(cluster, gateway);
            let id = &gateway.id;
            trace.step(Stage::Gateway, format_args!("{id} at {}: {state:?}", gateway.address));
        }
    }
    for wanted in [GatewayUse::Up, GatewayUse::Untried] {
        let fit = || {
            let all = field.gateways(cluster);
            all.filter(|gateway| field.gateway_use(cluster, gateway) == Some(wanted))
        };
        let count = fit().count();
        let chosen = match field.affinity {
            // What one gateway knows of its cluster's health, another may not know yet.
            Some(key) => fit().max_by_key(|gateway| key.rank_name(gateway.id.as_str())),
            None => fit().nth(place(draw, count)),
        };
        if let Some(gateway) = chosen {
            trace.step(Stage::Gateway, format_args!("{} of {count} that fit", gateway.id));
            let address = gateway.address;
            return Ok(Target::Remote { cluster, gateway: &gateway.id, address });
        }
    }
    let text = format!("no gateway of cluster `{cluster}` can be reached; see `rialto status`");
    Err(Refusal::new(Code::NoHealthyEndpoint, text))
}
