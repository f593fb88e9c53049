//! A client that takes for ever to say what it wants.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use rialto_types::id::Role;
use rialto_types::service::AppProtocol;
use serde_json::json;

use super::drip;
use super::world::{Home, World, call};

const GOOD: &str = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";

#[test]
fn a_head_that_drips_is_given_up_and_nobody_waits_for_it() {
    let workload = web();
    let home = Home::of("shop/web", AppProtocol::Http, &workload);
    let address = home.address();
    let world = World::new(vec![home]);
    let settings = json!({ "tunnel": { "listen": "127.0.0.1:0" }, "accessLog": "off" });
    let (gateway, _) = world.start(Role::Gateway, &settings, "gateway is up");
    gateway.until_counted("rialto_gateway_listeners", &[], 1);

    let slow = TcpStream::connect(address).expect("the gateway listens");
    let head =
        "GET / HTTP/1.1\r\nHost: web\r\nSlow: ".bytes().chain(std::iter::repeat_n(b'a', 1_000));
    let dripping = std::thread::spawn(move || drip(slow, head));
    for _ in 0..10 {
        let answer = call(address, GOOD).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    let said = dripping.join().expect("it is given up");
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("connection: close\r\n") && said.contains("RIA2009"), "{said}");
    let refused = ["side=\"Near\"", "reason=\"slow_request\""];
    gateway.until_counted("rialto_gateway_refusals_total", &refused, 1);
    assert_eq!(gateway.counted("rialto_gateway_refusals_total", &[]), 1, "nothing else");
    let answer = call(address, GOOD).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

/// A workload that answers each request with two bytes.
fn web() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let accepting = listener.try_clone().expect("a second handle");
    std::thread::spawn(move || {
        for mut stream in accepting.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    head.extend_from_slice(&buffer[..read]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                    }
                }
            });
        }
    });
    listener
}
