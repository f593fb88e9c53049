use super::*;

#[test]
fn an_answer_has_its_code_its_text_and_an_end() {
    let answer = Answer::new(Code::NoHealthyEndpoint, "no_endpoint", "nobody is there");
    let bytes = answer.encode(ClientConnection::Closes, false);
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
         content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
         content-length: 24\r\n\r\nRIA2003 nobody is there\n",
    );
}

#[test]
fn the_answer_to_head_has_no_content() {
    let answer = Answer::of_defect(Defect::Upgrade);
    let bytes = answer.encode(ClientConnection::Stays, true);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 501 Not Implemented\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}
