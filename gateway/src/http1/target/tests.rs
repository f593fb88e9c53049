use proptest::prelude::*;

use super::*;

#[test]
fn paths_with_one_reading_are_normal() {
    for path in
        ["/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/a..b", "/...", "/a%20b", "/%C3%A9", "*"]
    {
        assert_eq!(path_form(path.as_bytes()), PathForm::Normal, "{path}");
    }
}

#[test]
fn paths_with_several_readings_are_ambiguous() {
    let cases = [
        ("//", PathAmbiguity::EmptySegment),
        ("/a//b", PathAmbiguity::EmptySegment),
        ("/a/../b", PathAmbiguity::DotSegment),
        ("/..", PathAmbiguity::DotSegment),
        ("/a/.", PathAmbiguity::DotSegment),
        ("/a/./b", PathAmbiguity::DotSegment),
        ("/a/..;x=1/b", PathAmbiguity::DotSegment),
        ("/a/%2e%2E/b", PathAmbiguity::DotSegment),
        ("/a/.%2e/b", PathAmbiguity::DotSegment),
        ("/a%2Fb", PathAmbiguity::EncodedSlash),
        ("/a%2fb", PathAmbiguity::EncodedSlash),
        ("/a%5Cb", PathAmbiguity::EncodedSlash),
        ("/%61dmin", PathAmbiguity::NeedlessEscape),
        ("/a%00", PathAmbiguity::NeedlessEscape),
        ("/a%", PathAmbiguity::BrokenEscape),
        ("/a%2", PathAmbiguity::BrokenEscape),
        ("/a%zz", PathAmbiguity::BrokenEscape),
        ("/a%+1", PathAmbiguity::BrokenEscape),
    ];
    for (path, ambiguity) in cases {
        assert_eq!(path_form(path.as_bytes()), PathForm::Ambiguous(ambiguity), "{path}");
    }
}

proptest! {
    #[test]
    fn normal_paths_are_their_own_normal_form(path in "/[a./%25EF;]{0,12}") {
        if path_form(path.as_bytes()) == PathForm::Normal {
            let segments: Vec<_> = path[1..].split('/').collect();
            prop_assert!(segments.iter().all(|segment| !matches!(*segment, "." | "..")));
            prop_assert!(segments[..segments.len() - 1].iter().all(|segment| !segment.is_empty()));
            prop_assert!(!path.to_ascii_uppercase().contains("%2F"));
        }
    }
}
