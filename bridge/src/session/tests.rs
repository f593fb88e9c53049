use std::net::Ipv4Addr;

use super::*;

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

#[test]
fn a_code_is_good_once_and_not_for_long() {
    let (mut codes, start) = (Codes::default(), Instant::now());
    codes.add("one", "token:admin".into(), start);
    codes.add("two", "token:admin".into(), start);
    assert_eq!(codes.redeem("three", start), None);
    assert_eq!(codes.redeem("one", start), Some("token:admin".into()));
    assert_eq!(codes.redeem("one", start), None, "used");
    let late = start + limits::SIGN_IN_CODE_TTL;
    assert_eq!(codes.redeem("two", late), None, "too old");
}

#[test]
fn the_oldest_code_gives_way() {
    let (mut codes, start) = (Codes::default(), Instant::now());
    for number in 0..=limits::SIGN_IN_CODES_MAX {
        codes.add(&number.to_string(), "token:admin".into(), start);
    }
    assert_eq!(codes.redeem("0", start), None);
    assert!(codes.redeem("1", start).is_some());
}

#[test]
fn who_fails_too_often_waits() {
    let (mut attempts, start) = (Attempts::default(), Instant::now());
    for _ in 0..limits::SIGN_IN_FAILURES_MAX {
        assert_eq!(attempts.check(address(1), start), Ok(()));
        attempts.failed(address(1), start);
    }
    assert_eq!(attempts.check(address(1), start), Err(limits::SIGN_IN_WINDOW));
    assert_eq!(attempts.check(address(2), start), Ok(()), "others need not wait");
    assert_eq!(attempts.check(address(1), start + limits::SIGN_IN_WINDOW), Ok(()));
}

#[test]
fn many_addresses_cost_no_more_memory() {
    let (mut attempts, start) = (Attempts::default(), Instant::now());
    for number in 0..u32::try_from(2 * limits::SIGN_IN_ADDRESSES_MAX).expect("small") {
        attempts.failed(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), start);
    }
    assert_eq!(attempts.check(address(9), start), Err(limits::SIGN_IN_WINDOW));
    let late = start + limits::SIGN_IN_WINDOW;
    attempts.failed(address(9), late);
    assert_eq!(attempts.check(address(9), late), Ok(()), "old failures are forgotten");
}

#[test]
fn a_session_of_another_key_or_another_use_is_not_opened() {
    let own = SealKey::from_bytes([7; 32]).derive("session a");
    let sealed = own.seal(b"content", CONTEXT).expect("sealed");
    assert_eq!(own.open(&sealed, CONTEXT).expect("its own"), b"content");
    let member = SealKey::from_bytes([7; 32]).derive("session a");
    assert_eq!(member.open(&sealed, CONTEXT).expect("another member's"), b"content");
    let others = [
        SealKey::from_bytes([7; 32]),
        SealKey::from_bytes([7; 32]).derive("session b"),
        SealKey::from_bytes([8; 32]).derive("session a"),
    ];
    for other in others {
        assert!(other.open(&sealed, CONTEXT).is_err());
    }
    assert!(own.open(&sealed, "east.rialto").is_err());
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(own.open(&changed, CONTEXT).is_err(), "byte {at}");
    }
}
