use std::io::Write as _;

use std::cell::RefCell;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::{Part, end_in_order, read};

#[tokio::test]
async fn the_parts_of_a_node_end_one_after_another() {
    let ends = RefCell::new(Vec::new());
    let part = |name: &'static str| -> Part<'_> {
        let ends = &ends;
        Box::new(move |stop: CancellationToken| {
            async move {
                stop.cancelled().await;
                // A part takes its time to end.
                tokio::task::yield_now().await;
                ends.borrow_mut().push(name);
                Ok(())
            }
            .boxed_local()
        })
    };
    let stop = CancellationToken::new();
    stop.cancel();
    let parts = ["gateway", "agent", "dns"].map(|name| (name, part(name)));
    end_in_order(stop, parts).await.expect("nobody failed");
    assert_eq!(ends.into_inner(), ["gateway", "agent", "dns"]);
}

#[tokio::test]
async fn a_part_that_fails_takes_the_others_along_in_their_order() {
    let ends = RefCell::new(Vec::new());
    let part = |name: &'static str| -> Part<'_> {
        let ends = &ends;
        Box::new(move |stop: CancellationToken| {
            async move {
                if name == "agent" {
                    anyhow::bail!("its file is gone");
                }
                stop.cancelled().await;
                ends.borrow_mut().push(name);
                Ok(())
            }
            .boxed_local()
        })
    };
    let parts = ["gateway", "agent", "dns"].map(|name| (name, part(name)));
    let error = end_in_order(CancellationToken::new(), parts).await.expect_err("one failed");
    assert_eq!(format!("{error:#}"), "the node's agent ended: its file is gone");
    assert_eq!(ends.into_inner(), ["gateway", "dns"]);
}

fn refusal(text: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("the file takes it");
    let error = read::<rialto_bridge::Config>(file.path()).expect_err("not settings");
    format!("{error:#}")
}

#[test]
fn wrong_settings_name_file_and_line() {
    let unknown = refusal("id: bridge-1\ncolour: red\n");
    assert!(unknown.contains("the settings in `/"), "{unknown}");
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
    assert!(unknown.contains("line 2"), "{unknown}");
    let wrong = refusal("listen: everywhere\n");
    assert!(wrong.contains("line 1"), "{wrong}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read::<rialto_bridge::Config>("/nowhere/bridge.yaml".as_ref());
    let error = format!("{:#}", error.expect_err("no such file"));
    assert!(error.starts_with("cannot read the settings in `/nowhere/bridge.yaml`"), "{error}");
}
