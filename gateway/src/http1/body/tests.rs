use proptest::prelude::*;

use super::*;

#[test]
fn contents_end_where_their_framing_says() {
    check(Framing::None, "rest", "", "rest");
    check(Framing::Length(0), "rest", "", "rest");
    check(Framing::Length(4), "bodyrest", "body", "rest");
    check(Framing::Chunked, "0\r\n\r\nrest", "0\r\n\r\n", "rest");
    check(Framing::Chunked, "4\r\nbody\r\n0\r\n\r\nrest", "4\r\nbody\r\n0\r\n\r\n", "rest");
    let extended = "00a;x=\"y z\"\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\n\r\n";
    check(Framing::Chunked, &format!("{extended}HTTP/1.1 200"), extended, "HTTP/1.1 200");
}

#[test]
fn chunk_lines_with_two_readings_are_refused() {
    let cases: &[(&str, Defect)] = &[
        ("\r\n", Defect::ChunkSize),
        (";x\r\n", Defect::ChunkSize),
        ("x\r\n", Defect::ChunkSize),
        ("0x4\r\nbody\r\n", Defect::ChunkSize),
        ("+4\r\nbody\r\n", Defect::ChunkSize),
        ("-4\r\nbody\r\n", Defect::ChunkSize),
        (" 4\r\nbody\r\n", Defect::ChunkSize),
        ("4 \r\nbody\r\n", Defect::ChunkSize),
        ("4_0\r\nbody\r\n", Defect::ChunkSize),
        ("4\nbody\r\n", Defect::ChunkSize),
        ("ffffffffffffffff\r\n", Defect::ChunkSize),
        ("10000000000000000\r\n", Defect::ChunkSize),
        ("0000000000000004\r\nbody\r\n", Defect::ChunkSize),
        ("4\rbody\r\n", Defect::ChunkEnd),
        ("4\r\r\nbody\r\n", Defect::ChunkEnd),
        ("4\r\nbody\n0\r\n\r\n", Defect::ChunkEnd),
        ("4\r\nbody0\r\n\r\n", Defect::ChunkEnd),
        ("4\r\nbodybody\r\n", Defect::ChunkEnd),
        ("4\r\nbody\rx", Defect::ChunkEnd),
        ("4;x\nbody\r\n", Defect::ChunkExtension),
        ("4;x\0\r\nbody\r\n", Defect::ChunkExtension),
        ("4;\u{e9}\r\nbody\r\n", Defect::ChunkExtension),
        ("0\r\n\n", Defect::BareLineFeed),
        ("0\r\nX: a\n\r\n", Defect::BareLineFeed),
        ("0\r\nX\r\n\r\n", Defect::TrailerSyntax),
        ("0\r\nX : a\r\n\r\n", Defect::TrailerSyntax),
        ("0\r\n: a\r\n\r\n", Defect::TrailerSyntax),
        ("0\r\nX: a\0\r\n\r\n", Defect::TrailerSyntax),
        ("0\r\nX: a\rb\r\n\r\n", Defect::TrailerSyntax),
        ("0\r\nX: a\r\n b\r\n\r\n", Defect::TrailerSyntax),
        ("0\r\nContent-Length: 5\r\n\r\n", Defect::TrailerField),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", Defect::TrailerField),
        ("0\r\nX: a\r\nHOST: b\r\n\r\n", Defect::TrailerField),
        ("0\r\nProxy-Foo: b\r\n\r\n", Defect::TrailerField),
        ("4\r\nbod", Defect::Truncated),
        ("4\r\nbody\r\n", Defect::Truncated),
        ("0\r\n", Defect::Truncated),
        ("0\r\nX: a\r\n", Defect::Truncated),
    ];
    for &(input, defect) in cases {
        for cut in 0..=input.len() {
            let found = relay(Framing::Chunked, ChunkedOutput::AsReceived, input.as_bytes(), cut);
            assert_eq!(found.err(), Some(defect), "{input:?} cut at {cut}");
        }
        let data = relay(Framing::Chunked, ChunkedOutput::DataOnly, input.as_bytes(), 0);
        assert_eq!(data.err(), Some(defect), "{input:?} as data");
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = format!("4;{}", "x".repeat(limits::HTTP_CHUNK_EXTENSION_BYTES_MAX + 1));
    let found = relay(Framing::Chunked, ChunkedOutput::AsReceived, extension.as_bytes(), 0);
    assert_eq!(found.err(), Some(Defect::ChunkExtension));
    let many = "1;xx\r\na\r\n".repeat(limits::HTTP_CHUNK_EXTENSION_BYTES_MAX / 2 + 1);
    let found = relay(Framing::Chunked, ChunkedOutput::AsReceived, many.as_bytes(), 0);
    assert_eq!(found.err(), Some(Defect::ChunkExtension));
    let trailers = format!("0\r\n{}", "X: a\r\n".repeat(limits::HTTP_TRAILER_BYTES_MAX));
    let found = relay(Framing::Chunked, ChunkedOutput::AsReceived, trailers.as_bytes(), 0);
    assert_eq!(found.err(), Some(Defect::TrailerTooLarge));
}

#[test]
fn nothing_of_refused_trailers_is_passed_on() {
    let mut body = Body::new(Framing::Chunked, ChunkedOutput::AsReceived);
    let mut input = Bytes::from_static(b"0\r\nX-Good: a\r\nContent-Le");
    let mut passed = Vec::new();
    while !input.is_empty() {
        passed.extend_from_slice(&body.take(&mut input).expect("not refused yet"));
    }
    assert_eq!(passed, b"0\r\n");
}

#[test]
fn clients_of_http10_get_the_data_alone() {
    let input = b"4\r\nbody\r\n6;x=y\r\n, more\r\n0\r\nX: a\r\n\r\nrest";
    for cut in 0..=input.len() {
        let found = relay(Framing::Chunked, ChunkedOutput::DataOnly, input, cut);
        assert_eq!(found, Ok((b"body, more".to_vec(), b"rest".to_vec())), "cut at {cut}");
    }
}

#[test]
fn only_contents_without_a_length_may_end_with_their_connection() {
    let mut until_close = Body::new(Framing::UntilClose, ChunkedOutput::AsReceived);
    assert!(!until_close.is_complete());
    assert_eq!(until_close.end(), Ok(()));
    assert!(until_close.is_complete());
    let mut length = Body::new(Framing::Length(1), ChunkedOutput::AsReceived);
    assert_eq!(length.end(), Err(Defect::Truncated));
}

#[test]
fn bodies_are_cut_and_not_copied() {
    let input = Bytes::from_static(b"4\r\nbody\r\n0\r\n\r\n");
    let mut rest = input.clone();
    let mut body = Body::new(Framing::Chunked, ChunkedOutput::AsReceived);
    let output = body.take(&mut rest).expect("a valid content");
    assert_eq!(output.as_ptr(), input.as_ptr());
    assert_eq!(output.len(), input.len());
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_always_advance(
        bytes in proptest::collection::vec(any::<u8>(), 0..256),
        cut in 0usize..256,
    ) {
        let cut = cut.min(bytes.len());
        for output in [ChunkedOutput::AsReceived, ChunkedOutput::DataOnly] {
            let _ = relay(Framing::Chunked, output, &bytes, cut);
        }
    }

    #[test]
    fn chunks_arrive_as_they_were_sent_however_they_are_cut(
        chunks in proptest::collection::vec("[a-z\r\n]{1,40}", 0..6),
        trailers in "(X-[a-z]{1,3}: [a-z]{0,5}\r\n){0,3}",
        rest in "[A-Z\r\n]{0,20}",
        cut in 0usize..400,
    ) {
        let mut sent = String::new();
        for chunk in &chunks {
            sent.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        }
        sent.push_str(&format!("0\r\n{trailers}\r\n"));
        let input = format!("{sent}{rest}").into_bytes();
        let cut = cut.min(input.len());
        let relayed = relay(Framing::Chunked, ChunkedOutput::AsReceived, &input, cut);
        prop_assert_eq!(relayed, Ok((sent.into_bytes(), rest.clone().into_bytes())));
        let data = relay(Framing::Chunked, ChunkedOutput::DataOnly, &input, cut);
        prop_assert_eq!(data, Ok((chunks.concat().into_bytes(), rest.into_bytes())));
    }
}

fn check(framing: Framing, input: &str, passed: &str, rest: &str) {
    for cut in 0..=input.len() {
        let found = relay(framing, ChunkedOutput::AsReceived, input.as_bytes(), cut);
        let expect = Ok((passed.as_bytes().to_vec(), rest.as_bytes().to_vec()));
        assert_eq!(found, expect, "{framing:?} {input:?} cut at {cut}");
    }
}

/// Feeds `input` in two chunks and then the end; returns what was passed on and what was left.
fn relay(
    framing: Framing,
    output: ChunkedOutput,
    input: &[u8],
    cut: usize,
) -> Result<(Vec<u8>, Vec<u8>), Defect> {
    let mut body = Body::new(framing, output);
    let mut passed = Vec::new();
    let mut left = Vec::new();
    for part in [&input[..cut], &input[cut..]] {
        let mut chunk = Bytes::copy_from_slice(part);
        while !chunk.is_empty() && !body.is_complete() {
            let before = chunk.len();
            passed.extend_from_slice(&body.take(&mut chunk)?);
            assert!(chunk.len() < before, "each call takes at least one byte");
        }
        left.extend_from_slice(&chunk);
    }
    body.end()?;
    Ok((passed, left))
}
