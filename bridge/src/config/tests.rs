use super::*;

#[test]
fn a_life_of_certificates_is_neither_too_short_nor_too_long() {
    let least: Config = serde_json::from_str("{}").expect("every setting has a default");
    assert_eq!(least.certificate_lifetime, limits::CERTIFICATE_TTL);
    for (lifetime, is_good) in
        [("0s", false), ("9999ms", false), ("10s", true), ("720h", true), ("721h", false)]
    {
        let text = format!("{{\"certificateLifetime\": \"{lifetime}\"}}");
        let config: Config = serde_json::from_str(&text).expect("a duration");
        let checked = config.check();
        assert_eq!(checked.is_ok(), is_good, "{lifetime}: {checked:?}");
    }
    let short = Error::CertificateLifetime(Duration::from_secs(1));
    let text = "`certificateLifetime` is 1s; it must be from 10s to 720h";
    assert_eq!(short.to_string(), text);
}
