use expect_test::expect;
use rialto_types::traffic::Series;

use super::*;

fn flow(from: &str, service: Option<&str>, to: Option<&str>, rates: Option<Rates>) -> FlowRates {
    FlowRates {
        from: from.parse().expect("valid"),
        service: service.map(|name| name.parse().expect("valid")),
        to: to.map(|name| name.parse().expect("valid")),
        rates,
    }
}

fn traffic(flows: Vec<FlowRates>, total: Option<Rates>) -> Traffic {
    Traffic {
        over_ms: 30_000,
        total,
        flows,
        omitted: 0,
        series: Series::default(),
        links: vec![],
        gaps: vec![],
    }
}

#[test]
fn each_flow_has_a_row_and_what_is_not_known_is_no_zero() {
    let rates = Rates {
        requests: 600,
        errors: 12,
        requests_per_second: 20.0,
        errors_per_second: 0.4,
        error_share: 0.02,
        refused_per_second: 0.1,
        bytes_per_second: 12_345.0,
        p50_ms: Some(2.04),
        p95_ms: Some(45.3),
        p99_ms: Some(1_234.0),
        ..Rates::default()
    };
    let flows = vec![
        flow("east", Some("books/reviews"), Some("west"), Some(rates)),
        flow("north", Some("books/reviews"), Some("west"), None),
        flow("east", Some("books/ledger"), None, Some(Rates::default())),
        flow("east", None, None, Some(Rates::default())),
    ];
    let traffic = traffic(flows, Some(Rates::default()));
    expect![[r#"
        FROM   SERVICE        TO         RPS   ERR   P50    P95   P99
        east   books/reviews  west       20.0  2.0%  2.0ms  45ms  1.2s
        north  books/reviews  west       ?     ?     ?      ?     ?
        east   books/ledger   (nowhere)  0.0   0.0%  –      –     –
        east   (others)       (nowhere)  0.0   0.0%  –      –     –
    "#]]
    .assert_eq(&super::flows(&traffic, Columns::Usual, Style::default()));
    expect![[r#"
        FROM   SERVICE        TO         RPS   ERR   P50    P95   P99   REFUSED  BYTES/S
        east   books/reviews  west       20.0  2.0%  2.0ms  45ms  1.2s  0.1/s    12.3 kB
        north  books/reviews  west       ?     ?     ?      ?     ?     ?        ?
        east   books/ledger   (nowhere)  0.0   0.0%  –      –     –     0.0/s    0
        east   (others)       (nowhere)  0.0   0.0%  –      –     –     0.0/s    0
    "#]]
    .assert_eq(&super::flows(&traffic, Columns::All, Style::default()));
}

#[test]
fn nothing_is_told_from_not_known() {
    let style = Style::default();
    let nothing = super::flows(&traffic(vec![], Some(Rates::default())), Columns::Usual, style);
    assert_eq!(nothing, "nothing was carried in the last 30s\n");
    let not_known = super::flows(&traffic(vec![], None), Columns::Usual, style);
    assert_eq!(not_known, "not known: no gateway has reported in the last 6s\n");
}

#[test]
fn links_have_round_trip_and_loss() {
    let link = LinkRates {
        from: "east".parse().expect("valid"),
        from_gateway: "g1".parse().expect("valid"),
        to: "west".parse().expect("valid"),
        to_gateway: "g2".parse().expect("valid"),
        connections: 4,
        round_trip_ms: Some(41.6),
        loss_share: Some(0.0123),
        packets_per_second: 250.4,
        age_ms: 900,
    };
    expect![[r#"
        FROM     TO       CONNECTIONS  ROUND TRIP  LOST   PACKETS/S
        east/g1  west/g2  4            42ms        1.23%  250
    "#]]
    .assert_eq(&links(&[link]));
}
