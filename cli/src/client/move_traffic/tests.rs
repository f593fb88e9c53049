use expect_test::expect;
use rialto_types::api::DrainResult;
use rialto_types::id::{Revision, ServiceName};

use super::{drain_text, weight};

fn service(text: &str) -> ServiceName {
    text.parse().expect("a service name")
}

#[test]
fn a_weight_is_a_name_and_a_number() {
    assert_eq!(weight("reviews-v3=10"), Ok(("reviews-v3".parse().expect("a name"), 10)));
    let reason = |text: &str| weight(text).expect_err("no weight");
    expect!["`reviews` is not BACKEND=WEIGHT, such as `reviews-v3=10`"]
        .assert_eq(&reason("reviews"));
    expect!["the weight `ten` is not a whole number"].assert_eq(&reason("a=ten"));
    expect!["the weight `-1` is not a whole number"].assert_eq(&reason("a=-1"));
}

#[test]
fn drain_says_what_moves_what_stays_and_how_to_go_back() {
    let result = DrainResult {
        cluster: "west".parse().expect("a cluster"),
        drained: true,
        revision: Revision::new(1, 9),
        moved: vec![service("books/details"), service("books/reviews")],
        kept: vec![service("books/ratings")],
        command: String::new(),
    };
    expect![[r#"
        cluster west is drained at revision 1.9
          traffic of 2 services leaves it: books/details, books/reviews
          live only there and stay served: books/ratings
        next: `rialto undrain west` brings the traffic back
    "#]]
    .assert_eq(&drain_text(&result, false));
    expect![[r#"
        cluster west would serve again; nothing was changed
    "#]]
    .assert_eq(&drain_text(
        &DrainResult { drained: false, moved: vec![], kept: vec![], ..result },
        true,
    ));
}
