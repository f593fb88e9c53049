use super::*;

fn message(id: u16, code: u8, answers: u16) -> Vec<u8> {
    let mut message = question(id);
    message[2] |= 0x80;
    message[3] |= code;
    message[6..8].copy_from_slice(&answers.to_be_bytes());
    message
}

#[test]
fn an_answer_is_judged_by_its_head() {
    let cases = [
        (message(7, 0, 1), Some(Answer::Ours)),
        (message(7, 0, 0), Some(Answer::NoSuchName)),
        (message(7, 3, 0), Some(Answer::NoSuchName)),
        (message(7, 2, 0), Some(Answer::Refused(2))),
        (message(8, 0, 1), None),
        (vec![0, 7, 0], None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(7, &bytes), expected, "{bytes:?}");
    }
}

#[test]
fn the_first_server_of_the_file_is_asked() {
    let text = "search shop.svc.cluster.local\nnameserver 10.101.0.10\nnameserver 9.9.9.9\n";
    assert_eq!(first_server(text), "10.101.0.10:53".parse().ok());
    assert_eq!(first_server("nameserver fd00::a"), "[fd00::a]:53".parse().ok());
    assert_eq!(first_server("search shop\n"), None);
}

#[tokio::test]
async fn a_file_without_a_server_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("resolv.conf");
    std::fs::write(&file, "search shop\n").expect("written");
    let told = ask(&file).await.expect_err("nobody to ask");
    assert!(told.contains("names no server"), "{told}");
}
