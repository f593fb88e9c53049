use expect_test::expect;

use super::*;

const USUAL: &str = "\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    cache 30
    reload
}
";

fn proxies() -> IpAddr {
    "10.101.34.7".parse().expect("an address")
}

#[test]
fn the_block_goes_in_front_and_out_again() {
    let with = with_block(USUAL, proxies()).expect("it fits");
    expect![[r#"
        # BEGIN rialto: `rialto uninstall dns` takes this block out
        clusterset.local:53 {
            errors
            forward . 10.101.34.7
        }
        # END rialto
        .:53 {
            errors
            kubernetes cluster.local in-addr.arpa ip6.arpa {
                pods insecure
            }
            cache 30
            reload
        }
    "#]]
    .assert_eq(&with);
    assert_eq!(without_block(&with).as_deref(), Ok(USUAL));
    assert_eq!(with_block(&with, proxies()).as_deref(), Ok(&*with), "a second time is the same");
    let moved = with_block(&with, "fd00::7".parse().expect("an address")).expect("it fits");
    assert_eq!(moved, with.replace("10.101.34.7", "fd00::7"));
}

#[test]
fn the_port_is_that_of_the_block_for_everything() {
    let other = USUAL.replace(".:53", "dns://.:1053");
    assert!(with_block(&other, proxies()).expect("it fits").contains("clusterset.local:1053 {"));
    let without = USUAL.replace(".:53", ".");
    assert!(with_block(&without, proxies()).expect("it fits").contains("clusterset.local:53 {"));
}

#[test]
fn a_block_of_somebody_else_is_left_alone() {
    for key in ["clusterset.local:53", "example.org, clusterset.local.", "dns://clusterset.local"] {
        let taken = format!("{USUAL}{key} {{\n  forward . 10.0.0.1\n}}\n");
        assert_eq!(with_block(&taken, proxies()), Err(Error::Taken(key.to_owned())));
    }
    // Not a block's name.
    let free = format!("# clusterset.local {{\n{USUAL}");
    assert!(with_block(&free, proxies()).is_ok());
}

#[test]
fn a_block_without_its_end_is_not_guessed_at() {
    let broken = format!("{BEGIN}\n{USUAL}");
    assert_eq!(without_block(&broken), Err(Error::NoEnd));
}

#[test]
fn what_the_platform_does_is_seen() {
    assert!(reloads(USUAL));
    assert!(!reloads(&USUAL.replace("reload", "")));
    assert_eq!(imports(USUAL), None);
    let managed = format!("{USUAL}import custom/*.server\n");
    assert_eq!(imports(&managed), Some("import custom/*.server"));
}

#[test]
fn taking_it_out_leaves_every_other_byte() {
    let cases = ["", "\n", "no line's end", ".:53 {\r\n}\r\n", "\n\n  # a comment\n.:53 {\n}\n\n"];
    for text in cases {
        let with = with_block(text, proxies()).expect("it fits");
        assert_eq!(without_block(&with).as_deref(), Ok(text));
    }
}
