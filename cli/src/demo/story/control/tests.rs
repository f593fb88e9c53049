use super::*;

#[test]
fn the_first_error_code_of_a_log_is_found() {
    let log = r#"{"level":"ERROR","error":"the token was used: RIA1203"}"#;
    assert_eq!(error_code(log).as_deref(), Some("RIA1203"));
    assert_eq!(error_code("no code"), None);
    assert_eq!(error_code("RIALTO is up"), None);
}
