use proptest::prelude::*;

use super::*;

fn summary() -> PeerMessage {
    PeerMessage::Summary {
        services: vec![HealthSummary {
            service: "books/reviews".parse().expect("valid"),
            port: 9080,
            healthy: 1,
            total: 2,
        }],
    }
}

fn hello() -> PeerMessage {
    PeerMessage::Hello { gateway: "gateway-1".parse().expect("valid") }
}

#[test]
fn messages_round_trip_one_after_the_other() {
    let sent = [hello(), summary(), PeerMessage::Retiring, PeerMessage::Draining];
    let mut buffer = BytesMut::new();
    for message in &sent {
        buffer.extend_from_slice(&encode(message).expect("encodes"));
    }
    for message in sent {
        assert_eq!(decode(&mut buffer).expect("decodes"), Some(message));
    }
    assert!(buffer.is_empty());
}

#[test]
fn a_message_in_pieces_waits_for_its_end() {
    let whole = encode(&summary()).expect("encodes");
    let mut buffer = BytesMut::new();
    for byte in &whole[..whole.len() - 1] {
        buffer.put_u8(*byte);
        assert_eq!(decode(&mut buffer).expect("no error yet"), None);
    }
    buffer.put_u8(whole[whole.len() - 1]);
    assert_eq!(decode(&mut buffer).expect("decodes"), Some(summary()));
}

#[test]
fn a_message_of_a_newer_peer_is_unknown_and_not_an_error() {
    let json = br#"{"type":"weather","rain":true}"#;
    let mut buffer = BytesMut::new();
    buffer.put_u32(u32::try_from(json.len()).expect("short"));
    buffer.put_slice(json);
    assert_eq!(decode(&mut buffer).expect("decodes"), Some(PeerMessage::Unknown));
}

#[test]
fn an_over_long_message_is_refused_by_its_length_alone() {
    let mut buffer = BytesMut::from(&[0xff; 4][..]);
    assert!(matches!(decode(&mut buffer), Err(Error::TooLong(_))));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode(&mut BytesMut::from(&bytes[..]));
    }
}
