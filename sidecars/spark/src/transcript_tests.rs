//! Streams as servers send them, cut everywhere.

use super::*;

const CHUNK: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}],\"model\":\"m\"}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"model\":\"m\"}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"model\":\"m\",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}},\"timings\":{}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const PING: &str = ":\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\n";

/// What was forwarded, and the code of the complaint at the end.
fn run(stream: &str, hide_usage: bool) -> (String, Option<ErrorCode>, Transcript) {
    let mut results = (0..=stream.len()).filter(|cut| stream.is_char_boundary(*cut)).map(|cut| {
        let mut transcript = Transcript::new(hide_usage, Redaction::default());
        let mut forwarded = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            forwarded.extend_from_slice(&transcript.take(&Bytes::copy_from_slice(part.as_bytes())).unwrap());
        }
        let (last, complaint) = transcript.end();
        forwarded.extend_from_slice(&last);
        (String::from_utf8(forwarded).unwrap(), complaint.map(|refusal| refusal.code()), transcript)
    });
    let first = results.next().unwrap();
    for other in results {
        assert_eq!((&other.0, other.1), (&first.0, first.1), "the place of a cut changed the outcome");
    }
    first
}

fn forwarded(stream: &str, hide_usage: bool, expect: &str, complaint: Option<ErrorCode>) {
    let (text, code, _) = run(stream, hide_usage);
    assert_eq!((text.as_str(), code), (expect, complaint));
}

#[test]
fn bytes_pass_untouched_but_for_the_usage_that_nobody_asked_for() {
    let whole = [PING, CHUNK, PING, CHUNK, FINISH, USAGE, DONE].concat();
    forwarded(&whole, false, &whole, None);
    forwarded(&whole, true, &whole.replace(USAGE, ""), None);
    let crlf = whole.replace('\n', "\r\n");
    forwarded(&crlf, false, &crlf, None);
    let (_, _, transcript) = run(&whole, true);
    assert_eq!(transcript.usage(), Usage { input: 7, output: 3, cached: 4, estimated: false });
    // Usage on a chunk with words is not a usage-only chunk.
    let mixed = CHUNK.replace("\"model\"", "\"usage\":{\"completion_tokens\":1},\"model\"");
    forwarded(&format!("{mixed}{DONE}"), true, &format!("{mixed}{DONE}"), None);
}

#[test]
fn without_usage_chunks_are_counted() {
    let (_, _, transcript) = run(&[CHUNK, CHUNK, FINISH, DONE].concat(), true);
    assert_eq!(transcript.usage(), Usage { output: 3, estimated: true, ..Usage::default() });
}

#[test]
fn ends_that_are_no_ends() {
    let incomplete = Some(ErrorCode::UpstreamIncomplete);
    forwarded("", true, "", Some(ErrorCode::UpstreamEmptyStream));
    forwarded(PING, true, PING, Some(ErrorCode::UpstreamEmptyStream));
    forwarded(&[CHUNK, CHUNK].concat(), true, &[CHUNK, CHUNK].concat(), incomplete);
    forwarded(&format!("{CHUNK}{}", &CHUNK[..30]), true, CHUNK, incomplete);
    forwarded("<html>no</html>", true, "", Some(ErrorCode::UpstreamInvalid));
    forwarded("data: <html>\n\n", true, "data: <html>\n\n", Some(ErrorCode::UpstreamInvalid));
}

#[test]
fn ends_that_are_good_enough() {
    forwarded(&[CHUNK, FINISH].concat(), true, &[CHUNK, FINISH].concat(), None);
    forwarded(&[CHUNK, DONE.trim_end()].concat(), true, &[CHUNK, DONE].concat(), None);
    forwarded(&[CHUNK, FINISH.trim_end()].concat(), true, &[CHUNK, FINISH].concat(), None);
    // The server's own error is an end; nothing is added to it.
    forwarded(&[CHUNK, ERROR].concat(), true, &[CHUNK, ERROR].concat(), None);
    let (_, _, transcript) = run(&[CHUNK, ERROR, DONE].concat(), true);
    assert!(transcript.failure().is_some() && !transcript.is_whole());
}

#[test]
fn errors_that_no_client_knows_are_kept_back_and_told() {
    let flat = "data: {\"object\":\"error\",\"message\":\"engine died\",\"code\":500}\n\n";
    let named = "error: {\"code\":500,\"message\":\"engine died\",\"type\":\"server_error\"}\n\n";
    for error in [flat, named] {
        for stream in [[CHUNK, error].concat(), [CHUNK, error, DONE].concat(), [CHUNK, error.trim_end()].concat()] {
            let (text, code, transcript) = run(&stream, true);
            assert_eq!((text.as_str(), code), (CHUNK, Some(ErrorCode::UpstreamError)), "{stream}");
            assert!(transcript.failure().is_some() && !transcript.is_whole());
            assert!(transcript.fault().unwrap().message().contains("engine died"));
        }
    }
}

#[test]
fn the_end_of_an_answer_that_never_began_is_no_answer() {
    for before in ["", PING, USAGE] {
        let (text, code, transcript) = run(&[before, DONE].concat(), true);
        assert_eq!((text, code), (before.replace(USAGE, ""), Some(ErrorCode::UpstreamEmptyStream)), "{before}");
        assert!(!transcript.is_whole());
    }
}

#[test]
fn the_first_event_is_known_once_it_is_complete() {
    let mut transcript = Transcript::new(true, Redaction::default());
    let mut take = |text: &str| {
        transcript.take(&Bytes::copy_from_slice(text.as_bytes())).unwrap();
        transcript.first().cloned()
    };
    assert_eq!(take(PING), Some(First::Life));
    assert_eq!(take(&CHUNK[..20]), Some(First::Life));
    assert_eq!(take(&CHUNK[20..]), Some(First::Chunk { model: Some("m".to_owned()) }));
    assert_eq!(take(ERROR), Some(First::Chunk { model: Some("m".to_owned()) }));

    let mut transcript = Transcript::new(true, Redaction::default());
    transcript.take(&Bytes::from_static(ERROR.as_bytes())).unwrap();
    assert!(matches!(transcript.first(), Some(First::Error(body)) if body.starts_with(b"{\"error\"")));
}
