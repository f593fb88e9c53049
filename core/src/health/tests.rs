use std::time::Duration;

use proptest::prelude::*;
use rialto_types::id::{ClusterName, InstanceId};
use rialto_types::limits;
use rialto_types::report::HealthSummary;

use crate::health::check::{Check, Config, Event as CheckEvent};
use crate::health::{Event, GatewayState, Health, Outcome, Path, PeerRef};
use crate::transcript;
use crate::world::{World, parse};

#[test]
fn transcripts() {
    transcript::check("health", || {
        let mut world = World::new();
        move |line| world.run(line)
    });
}

#[test]
fn what_nobody_listened_to_is_no_silence() {
    let (mut now, mut health) = (World::new().now, Health::default());
    let (cluster, gateway): (ClusterName, InstanceId) = (parse("west"), parse("west-1"));
    let peer = PeerRef { cluster: &cluster, gateway: &gateway };
    let rtt = Duration::from_millis(10);
    health.observe(Event::PeerConnected { peer, path: Path { rtt, pto: rtt * 3 } }, now);
    let stood = Duration::from_secs(3);
    now += stood;
    health.handle_standstill(stood, now);
    health.handle_timeout(now);
    assert_eq!(health.gateway(peer, now), GatewayState::Up { rtt });
    // Who was heard since is excused for nothing.
    health.handle_standstill(stood, now);
    now += limits::PEER_SILENCE_MIN;
    assert_eq!(health.gateway(peer, now), GatewayState::Down);
}

proptest! {
    /// Whatever is observed: time can always pass, and no deadline is left behind that would make
    /// the owner's loop spin.
    #[test]
    fn no_deadline_stays_in_the_past(steps in prop::collection::vec((0..9_u32, 0..3_u8, 0..20_000_u64), 0..60)) {
        let mut now = World::new().now;
        let mut health = Health::default();
        let cluster: ClusterName = parse("west");
        for (what, which, wait_ms) in steps {
            let gateway: InstanceId = parse(&format!("west-{which}"));
            let peer = PeerRef { cluster: &cluster, gateway: &gateway };
            let address = parse(&format!("10.0.0.{which}:80"));
            let rtt = Duration::from_millis(wait_ms / 10);
            let path = Path { rtt, pto: rtt * 3 };
            let summaries = [HealthSummary { service: parse("b/s"), port: 80, healthy: 1, total: 2 }];
            let event = match what {
                0 => Event::PeerConnected { peer, path },
                1 => Event::PeerHeard { peer, path },
                2 => Event::PeerLost { peer },
                3 => Event::PeerDraining { peer },
                4 => Event::Summaries { cluster: &cluster, summaries: &summaries },
                5 => Event::Endpoint { address, outcome: Outcome::Success },
                6 => Event::Endpoint { address, outcome: Outcome::ServerError },
                7 => Event::Endpoint { address, outcome: Outcome::ConnectFailure },
                _ => Event::Endpoint { address, outcome: Outcome::Reset },
            };
            health.observe(event, now);
            now += Duration::from_millis(wait_ms);
            health.handle_timeout(now);
            prop_assert!(health.poll_timeout().is_none_or(|next| next > now));
            while health.poll_notice().is_some() {}
        }
        now += Duration::from_secs(3_600);
        for _ in 0..10 {
            health.handle_timeout(now);
        }
        prop_assert_eq!(health.poll_timeout(), None);
    }

    /// A check never probes twice within its interval, and its health follows its results.
    #[test]
    fn a_check_keeps_its_interval(results in prop::collection::vec((0..3_u8, 0..3_000_u64), 1..60)) {
        let mut now = World::new().now;
        let interval = Duration::from_secs(2);
        let timeout = Duration::from_secs(1);
        let mut check = Check::new(Config { interval, timeout, rise: 2, fall: 3 }, now);
        let mut last_probe = None;
        for (result, wait_ms) in results {
            check.handle_timeout(now);
            while let Some(event) = check.poll_event() {
                if event == CheckEvent::Probe {
                    prop_assert!(last_probe.is_none_or(|last| now >= last + interval));
                    last_probe = Some(now);
                }
            }
            match result {
                0 => check.handle_passed(now),
                1 => check.handle_failed(now),
                _ => {}
            }
            prop_assert!(check.poll_timeout() >= now);
            now += Duration::from_millis(wait_ms);
        }
    }
}
