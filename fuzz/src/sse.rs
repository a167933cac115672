//! Streamed replies: events, and what they carry.

use bartizan_core::{Limits, Protocol};
use bartizan_wire::{Ending, SseDecoder, SseEvent, StreamReader};

/// The events do not depend on how the bytes are cut and keep every byte; an event whose texts are not changed keeps
/// its bytes, one whose text is changed stays an event, and a stream can be ended anywhere. The first byte chooses the
/// protocol, the second the length of the pieces.
pub fn run(data: &[u8]) {
    let [first, second, stream @ ..] = data else { return };
    let stream = stream.get(..super::LONGEST).unwrap_or(stream);
    let limits = Limits::default();
    let whole = decode(stream, stream.len().max(1), &limits);
    let pieces = decode(stream, usize::from(*second).max(1), &limits);
    assert_eq!(whole.is_some(), pieces.is_some(), "cutting decides whether the stream can be read");
    let Some(events) = whole else { return };
    assert_eq!(pieces.as_ref(), Some(&events));
    let bytes: Vec<u8> = events.iter().flat_map(|e| e.raw.iter().copied()).collect();
    assert_eq!(bytes, stream);

    let protocol = [
        Protocol::OpenaiChat,
        Protocol::AnthropicMessages,
        Protocol::Json,
        Protocol::OpenaiCompletions,
        Protocol::Gemini,
        Protocol::OpenaiResponses,
    ][usize::from(first % 6)];
    let mut reader = StreamReader::new(protocol, &limits);
    for event in events.iter().filter(|e| e.complete) {
        let Ok(chunk) = reader.event(event) else { break };
        assert_eq!(chunk.rewrite(&[]), event.raw, "no change changed something");
        for (index, delta) in chunk.deltas.iter().enumerate() {
            let changed = whole_events(chunk.rewrite(&[(index, "[\"new\\\n\u{1}é]".to_owned())]), &limits);
            assert_eq!(changed, 1, "{}", delta.pointer);
            whole_events(reader.synth(&delta.channel, "\"held\n"), &limits);
        }
    }
    whole_events(reader.ending(Ending::Refusal { message: "not \"this\"\n", event_id: "1" }), &limits);
}

/// How many events these bytes are, in front of another one. Each is complete and carries JSON.
fn whole_events(mut bytes: Vec<u8>, limits: &Limits) -> usize {
    // A bare CR at the very end is only known to end an event by what follows.
    bytes.extend_from_slice(b"data: next\n\n");
    let mut events = decode(&bytes, 1, limits).expect("events");
    assert_eq!(events.pop().and_then(|e| e.data).as_deref(), Some("next"));
    for event in &events {
        let data = event.data.as_deref().unwrap_or("[DONE]");
        let json = data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok();
        assert!(event.complete && json, "{event:?}");
    }
    events.len()
}

fn decode(bytes: &[u8], piece: usize, limits: &Limits) -> Option<Vec<SseEvent>> {
    let mut decoder = SseDecoder::new(limits);
    let mut events = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.push(piece, &mut events).ok()?;
    }
    events.extend(decoder.finish().ok()?);
    Some(events)
}
