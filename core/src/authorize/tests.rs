use proptest::prelude::*;

use crate::authorize::{Caller, Operation, authorize};
use crate::choose::HttpRequest;
use crate::transcript;
use crate::world::{World, parse};

#[test]
fn transcripts() {
    transcript::check("authorize", || {
        let mut world = World::new();
        move |line| world.run(line)
    });
}

/// What some server may read as the same path.
fn disguised(byte: u8, how: u8) -> String {
    match how {
        0 => format!("%{byte:02x}"),
        1 => format!("%{byte:02X}"),
        2 if byte == b'/' => "//".into(),
        3 if byte == b'/' => "/./".into(),
        4 if byte == b'/' => "/x/../".into(),
        5 if byte == b'/' => ";x=1/".into(),
        6 if byte == b'/' => "/%2e/".into(),
        7 if byte == b'/' => "\\".into(),
        _ => char::from(byte).to_string(),
    }
}

proptest! {
    /// A denied path stays denied however it is written, and nobody gets in where only another path
    /// is allowed.
    #[test]
    fn no_way_of_writing_a_path_gets_around_a_rule(how in prop::collection::vec(0..20_u8, 12)) {
        let world = World::of(
            "service b/deny ports=80/http clusters=east
             access b/deny deny admin to=:/admin/*
             service b/allow ports=80/http clusters=east
             access b/allow allow public to=:/public/*",
        );
        let path = b"/admin/users".iter().zip(how).map(|(byte, how)| disguised(*byte, how));
        let path: String = path.collect();
        let http = HttpRequest { method: "GET", path: &path, query: None, headers: &[] };
        let caller = Caller { identity: None, cluster: parse("east") };
        for service in ["b/deny", "b/allow"] {
            let service = parse(service);
            let operation = Operation { service: &service, backend: &service, http: Some(http) };
            let verdict = authorize(&world.snapshot, &caller, &operation);
            prop_assert!(!verdict.allowed, "{} is allowed at {}", path, service);
        }
    }
}
