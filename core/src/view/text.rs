//! Words and numbers for people.

use rialto_types::service::ServicePort;

/// `1 service`, `2 services`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `2,000`
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12 s`, `4 min`, `3 h`.
pub(super) fn age(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// `12 %`, `0.4 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// `9080/http, 5432/tcp`
pub(super) fn ports(ports: &[ServicePort]) -> String {
    let port = |port: &ServicePort| format!("{}/{}", port.port, port.app_protocol.as_str());
    ports.iter().map(port).collect::<Vec<_>>().join(", ")
}

/// The first few of many, and how many more there are.
pub(super) fn few(items: &[String], shown_max: usize) -> String {
    let shown = items.iter().take(shown_max).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(shown_max) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether every word of `search` occurs in the text, in any case.
pub(super) fn has_words(text: &str, search: &str) -> bool {
    let text = text.to_lowercase();
    search.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}
