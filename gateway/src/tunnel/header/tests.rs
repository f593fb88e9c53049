use proptest::prelude::*;

use super::*;

fn open() -> Open {
    Open {
        mode: Mode::Http,
        service: "books/reviews".parse().expect("valid"),
        port: 9080,
        backend: Some(Backend { service: "books/reviews-v3".parse().expect("valid"), port: 9081 }),
        caller: Some("spiffe://east.rialto/ns/books/sa/productpage".parse().expect("valid")),
        hops: 1,
        flow: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        offset: 77,
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        deadline_ms: Some(5_000),
        affinity: Some(0xfedc_ba98_7654_3210),
    }
}

fn decode_open(frame: &[u8]) -> Result<Open, Error> {
    let (kind, length) = decode_prefix(frame)?.ok_or(Error::Truncated)?;
    assert_eq!(kind, KIND_OPEN);
    Open::decode(&frame[PREFIX_BYTES..PREFIX_BYTES + length])
}

fn decode_answer(frame: &[u8]) -> Result<Answer, Error> {
    let (kind, length) = decode_prefix(frame)?.ok_or(Error::Truncated)?;
    Answer::decode(kind, &frame[PREFIX_BYTES..PREFIX_BYTES + length])
}

/// A header of the mandatory fields with one field replaced, added or (empty list) left out.
fn fields(replaced: u8, with: &[(u8, &[u8])]) -> Vec<u8> {
    let mandatory: [(u8, &[u8]); 3] =
        [(FIELD_MODE, &[1]), (FIELD_SERVICE, b"books/reviews"), (FIELD_PORT, &[0x23, 0x78])];
    let mut writer = Writer::new(KIND_OPEN);
    for (field, value) in mandatory.iter().filter(|(field, _)| *field != replaced) {
        writer.field(*field, value);
    }
    for (field, value) in with {
        writer.field(*field, value);
    }
    writer.finish()[PREFIX_BYTES..].to_vec()
}

fn check(replaced: u8, with: &[(u8, &[u8])], expect: Error) {
    assert_eq!(Open::decode(&fields(replaced, with)), Err(expect));
}

#[test]
fn round_trip() {
    assert_eq!(decode_open(&open().encode()), Ok(open()));
    let least = Open {
        mode: Mode::Tcp,
        backend: None,
        caller: None,
        hops: 0,
        flow: 0,
        offset: 0,
        trace: None,
        deadline_ms: None,
        affinity: None,
        ..open()
    };
    assert_eq!(decode_open(&least.encode()), Ok(least.clone()));
    assert_eq!(least.target(), (&least.service, 9080));
    assert_eq!(open().target().1, 9081);
}

#[test]
fn answers_round_trip() {
    assert_eq!(decode_answer(&Answer::Accepted.encode()), Ok(Answer::Accepted));
    for number in 0..20 {
        let refusal = Refusal::new(RefusalCode::from_number(number), "because");
        let answer = Answer::Refused(refusal);
        assert_eq!(decode_answer(&answer.encode()), Ok(answer));
        assert_eq!(RefusalCode::from_number(number).number(), number);
    }
}

#[test]
fn a_long_reason_is_cut_at_a_character() {
    let refusal = Refusal::new(RefusalCode::Denied, "ä".repeat(5_000));
    let Ok(Answer::Refused(read)) = decode_answer(&Answer::Refused(refusal).encode()) else {
        panic!("a refusal was sent");
    };
    assert_eq!(read.reason.len(), limits::REFUSAL_REASON_BYTES_MAX);
}

#[test]
fn every_fault_has_its_error() {
    check(FIELD_MODE, &[], Error::Missing("mode"));
    check(FIELD_SERVICE, &[], Error::Missing("service"));
    check(FIELD_PORT, &[], Error::Missing("port"));
    check(FIELD_MODE, &[(FIELD_MODE, &[9])], Error::Mode(9));
    check(FIELD_MODE, &[(FIELD_MODE, &[])], Error::Length { field: "mode", length: 0 });
    check(FIELD_PORT, &[(FIELD_PORT, &[0, 0])], Error::PortZero("port"));
    check(FIELD_PORT, &[(FIELD_PORT, &[1])], Error::Length { field: "port", length: 1 });
    check(FIELD_SERVICE, &[(FIELD_SERVICE, &[0xff])], Error::NotText("service"));
    check(0, &[(FIELD_MODE, &[1])], Error::Duplicate(FIELD_MODE));
    // The same number without the top bit is the same field.
    check(0, &[(FIELD_MODE & !MUST, &[1])], Error::Duplicate(FIELD_MODE & !MUST));
    check(0, &[(FIELD_BACKEND, &[1])], Error::Length { field: "backend", length: 1 });
    check(0, &[(FIELD_BACKEND, b"\0\0books/x")], Error::PortZero("backend"));
    check(0, &[(FIELD_HOPS, &[200])], Error::TooManyHops(200));
    check(0, &[(FIELD_OFFSET, &[1])], Error::Length { field: "offset", length: 1 });
    check(0, &[(FIELD_FLOW, &[1])], Error::Length { field: "flow", length: 1 });
    check(0, &[(FIELD_TRACE, b"no trace")], Error::Trace);
    check(0, &[(FIELD_DEADLINE, &[1])], Error::Length { field: "deadline", length: 1 });
    check(0, &[(0x7f | MUST, &[])], Error::NotUnderstood(0x7f | MUST));
    let is_name = |error| matches!(error, Err(Error::Name(..)));
    assert!(is_name(Open::decode(&fields(FIELD_SERVICE, &[(FIELD_SERVICE, b"Books/x")]))));
    assert!(is_name(Open::decode(&fields(0, &[(FIELD_CALLER, b"east/books")]))));
    assert!(is_name(Open::decode(&fields(0, &[(FIELD_BACKEND, b"\0\x01books")]))));
    assert_eq!(decode_answer(&[KIND_REFUSED, 0, 0]), Err(Error::Missing("code")));
}

#[test]
fn an_unknown_field_without_the_top_bit_is_skipped() {
    assert!(Open::decode(&fields(0, &[(0x7f, b"of a newer peer")])).is_ok());
}

#[test]
fn cut_off_anywhere_it_is_an_error_or_waits_for_more() {
    let frame = open().encode();
    for end in 0..frame.len() {
        let cut = &frame[..end];
        match decode_prefix(cut).expect("the prefix is good") {
            None => assert!(end < PREFIX_BYTES),
            Some((_, length)) => assert!(end < PREFIX_BYTES + length),
        }
        // Between two optional fields the rest is a header, but never the same one.
        if end > PREFIX_BYTES {
            assert_ne!(Open::decode(&cut[PREFIX_BYTES..]), Ok(open()), "cut at {end}");
        }
    }
}

#[test]
fn an_over_long_header_is_refused_by_its_length_alone() {
    assert_eq!(decode_prefix(&[KIND_OPEN, 0xff, 0xff]), Err(Error::TooLong(0xffff)));
}

#[test]
fn every_error_becomes_a_refusal_that_is_worth_a_retry_or_not() {
    assert_eq!(Error::NotUnderstood(0xff).refusal().code.retry(), Retry::OtherGateway);
    assert_eq!(Error::TooManyHops(9).refusal().code, RefusalCode::Loop);
    assert_eq!(Error::Trace.refusal().code.retry(), Retry::Never);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_prefix(&bytes);
        let _ = Open::decode(&bytes);
        let _ = Answer::decode(KIND_REFUSED, &bytes);
        let _ = Answer::decode(KIND_ACCEPTED, &bytes);
    }

    #[test]
    fn one_changed_byte_never_panics(at in 0usize..200, with in any::<u8>()) {
        let mut frame = open().encode().to_vec();
        let at = at % frame.len();
        frame[at] = with;
        if let Ok(Some((_, length))) = decode_prefix(&frame) {
            let end = (PREFIX_BYTES + length).min(frame.len());
            let _ = Open::decode(&frame[PREFIX_BYTES..end]);
        }
    }

    #[test]
    fn any_header_survives(
        service in "[a-z0-9]{1,63}/[a-z0-9]{1,63}",
        port in 1u16..,
        backend in prop::option::of(("[a-z]{1,63}/[a-z]{1,63}", 1u16..)),
        caller in prop::option::of("spiffe://[a-z.]{1,200}/[a-zA-Z0-9_]{1,255}/sa"),
        numbers in (0..=limits::TUNNEL_HOPS_MAX, any::<u128>(), any::<u64>()),
        deadline_ms in any::<Option<u32>>(),
        affinity in any::<Option<u64>>(),
    ) {
        let header = Open {
            mode: Mode::Tcp,
            service: service.parse().expect("made valid"),
            port,
            backend: backend.map(|(service, port)| Backend {
                service: service.parse().expect("made valid"),
                port,
            }),
            caller: caller.map(|caller| caller.parse().expect("made valid")),
            hops: numbers.0,
            flow: numbers.1,
            offset: numbers.2,
            trace: None,
            deadline_ms,
            affinity,
        };
        prop_assert_eq!(decode_open(&header.encode()), Ok(header));
    }
}
