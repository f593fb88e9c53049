use proptest::prelude::*;

use super::*;
use crate::testing::{name, opt, packet, query, question, record};

#[test]
fn an_answer_is_walked() {
    let owner = [0xc0, 12];
    let soa = [&name("ns.example.com")[..], &name("root.example.com"), &[0; 16], &[0, 0, 0, 9]];
    let bytes = packet(
        0x8180,
        [1, 1, 1, 1],
        &[
            &question("example.com", 1, 1),
            &record(&owner, 1, 300, &[192, 0, 2, 1]),
            &record(&owner, TYPE_SOA, 60, &soa.concat()),
            &opt(1_232, 0, 0, &[]),
        ],
    );
    let layout = layout(&bytes).expect("a whole answer");
    assert_eq!(layout.question_end, 12 + 13 + 4);
    assert_eq!(layout.ttls.iter().map(|(_, ttl)| *ttl).collect::<Vec<_>>(), [300, 60]);
    for (at, ttl) in &layout.ttls {
        assert_eq!(bytes[*at..at + 4], ttl.to_be_bytes());
    }
    assert_eq!(layout.negative_ttl, Some(9));
    assert_eq!(layout.ttl_min(), Some(60));
    assert!(layout.has_opt);
    for length in 0..bytes.len() {
        assert_eq!(super::layout(&bytes[..length]), None, "{length} bytes");
    }
}

#[test]
fn names_are_equal_in_any_case_and_types_are_not() {
    let (upper, lower) = (query("EXAMPLE.com", 65), query("example.COM", 65));
    let other = query("example.com", 97);
    let question = |bytes| super::question(bytes).expect("a question");
    assert!(question(&upper).is_same(&question(&lower)));
    assert!(!question(&upper).is_same(&question(&other)));
}

#[test]
fn a_time_to_live_with_the_highest_bit_is_none() {
    let owner = [0xc0, 12];
    let record = record(&owner, 1, 0x8000_0001, &[192, 0, 2, 1]);
    let bytes = packet(0x8180, [1, 1, 0, 0], &[&question("example.com", 1, 1), &record]);
    assert_eq!(layout(&bytes).expect("whole").ttl_min(), Some(0));
}

proptest! {
    #[test]
    fn any_bytes_are_walked(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = header(&bytes);
        let _ = super::question(&bytes);
        if let Some(layout) = layout(&bytes) {
            for (at, _) in layout.ttls {
                prop_assert!(at + 4 <= bytes.len());
            }
        }
    }
}
