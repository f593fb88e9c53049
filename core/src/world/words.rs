//! One line's words: plain ones in order, options by name.

use rialto_types::service::{AppProtocol, ServicePort};
use rialto_types::snapshot::UdpPort;

use super::parse;

pub(super) struct Words<'a> {
    plain: std::collections::VecDeque<&'a str>,
    named: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        let is_named = |word: &&str| {
            let key = word.split_once('=').map(|(key, _)| key);
            key.is_some_and(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase()))
        };
        let (named, plain): (Vec<&str>, Vec<&str>) = line.split_whitespace().partition(is_named);
        let named = named.into_iter().filter_map(|word| word.split_once('='));
        Self { plain: plain.into(), named: named.collect() }
    }

    pub(super) fn next(&mut self) -> &'a str {
        self.plain.pop_front().expect("one more word")
    }

    pub(super) fn next_if_any(&mut self) -> Option<&'a str> {
        self.plain.pop_front()
    }

    pub(super) fn flag(&mut self, word: &str) -> bool {
        let count = self.plain.len();
        self.plain.retain(|plain| *plain != word);
        self.plain.len() < count
    }

    pub(super) fn option(&mut self, name: &str) -> Option<&'a str> {
        let at = self.named.iter().position(|(named, _)| *named == name)?;
        Some(self.named.remove(at).1)
    }

    pub(super) fn list(&mut self, name: &str) -> std::vec::IntoIter<&'a str> {
        let text = self.option(name).unwrap_or("");
        text.split(',').filter(|item| !item.is_empty()).collect::<Vec<_>>().into_iter()
    }

    /// Nobody may have misspelt a word that then does nothing.
    pub(super) fn end(&self) {
        assert!(self.plain.is_empty() && self.named.is_empty(), "left over: {self:?}");
    }
}

impl std::fmt::Debug for Words<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.plain, self.named)
    }
}

/// `NAME:PORT@CLUSTER+CLUSTER`
pub(super) fn udp_port(text: &str) -> UdpPort {
    let (name, rest) = text.split_once(':').expect("NAME:PORT@CLUSTER");
    let (port, clusters) = rest.split_once('@').expect("PORT@CLUSTER");
    let clusters = clusters.split('+').map(parse).collect();
    UdpPort { name: Some(parse(name)), port: parse(port), clusters }
}

/// `PORT=PORT`
pub(super) fn target(pair: &str) -> (u16, u16) {
    let (port, target) = pair.split_once('=').expect("PORT=PORT");
    (parse(port), parse(target))
}

/// `[NAME:]PORT/PROTOCOL`
pub(super) fn port(text: &str) -> ServicePort {
    let (rest, protocol) = text.split_once('/').expect("PORT/PROTOCOL");
    let (name, number) = match rest.split_once(':') {
        Some((name, number)) => (Some(parse(name)), number),
        None => (None, rest),
    };
    let app_protocol = match protocol {
        "http" => AppProtocol::Http,
        "tcp" => AppProtocol::Tcp,
        other => panic!("`{other}` is no protocol"),
    };
    ServicePort { name, port: parse(number), app_protocol }
}
