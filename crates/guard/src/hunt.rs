//! Recorded bodies, examined once more.

use std::collections::{BTreeMap, HashSet};

use bartizan_core::{Direction, Exchange, Limits, Text};
use bartizan_wire::{Channel, ChannelPart, SseDecoder, StreamReader, WireError};

use crate::guard::{Decision, Guard};
use crate::vault::Opened;

/// The bodies of one exchange, oldest first, one after the other: what a request says its operator's text is, the
/// reply is compared with.
pub struct Hunt<'a> {
    guard: &'a Guard,
    system: Vec<String>,
}

impl<'a> Hunt<'a> {
    /// With a guard of the rules that are hunted.
    #[must_use]
    pub const fn new(guard: &'a Guard) -> Self {
        Self { guard, system: Vec::new() }
    }

    /// What the rules find in the next body.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn examine(&mut self, opened: &Opened) -> Result<Decision, WireError> {
        let (limits, body) = (self.guard.limits(), opened.body.clone());
        let exchange = match opened.direction {
            _ if opened.stream => assembled(opened, limits)?,
            Direction::Request => bartizan_wire::request(opened.protocol, body, limits)?,
            Direction::Reply => bartizan_wire::reply(opened.protocol, body, limits)?,
        };
        self.system.extend(exchange.system().map(str::to_owned));
        let system: Vec<&str> = self.system.iter().map(String::as_str).collect();
        Ok(self.guard.decision_with(exchange, &system))
    }
}

/// A stream as one exchange: each text whole, and each other leaf once.
fn assembled(opened: &Opened, limits: &Limits) -> Result<Exchange, WireError> {
    let mut decoder = SseDecoder::new(limits);
    let mut reader = StreamReader::new(opened.protocol, limits);
    let mut events = Vec::new();
    decoder.push(&opened.body, &mut events)?;
    events.extend(decoder.finish()?);
    let mut texts: BTreeMap<Channel, Text> = BTreeMap::new();
    let (mut leaves, mut seen) = (Vec::new(), HashSet::new());
    for event in &events {
        let chunk = reader.event(event)?;
        for delta in chunk.deltas {
            let pointer = pointer(&delta.channel);
            let new = || Text { pointer, origin: delta.origin.clone(), kind: delta.kind, ..Text::default() };
            texts.entry(delta.channel.clone()).or_insert_with(new).value.push_str(&delta.text);
        }
        let fresh = |text: &Text| seen.insert((text.kind, text.value.clone()));
        // Leaves of JSON in a string are examined with the string.
        leaves.extend(chunk.texts.into_iter().filter(|text| text.container.is_none()).filter(fresh));
    }
    let texts = texts.into_values().chain(leaves).collect();
    Ok(Exchange { protocol: opened.protocol, direction: Direction::Reply, texts, ..Exchange::default() })
}

fn pointer(channel: &Channel) -> String {
    let part = match &channel.part {
        ChannelPart::Text => "text",
        ChannelPart::Reasoning => "reasoning",
        ChannelPart::Refusal => "refusal",
        ChannelPart::Transcript => "transcript",
        ChannelPart::ToolArguments { .. } => "arguments",
        ChannelPart::Field { pointer } => pointer.trim_start_matches('/'),
    };
    format!("/{}/{}/{part}", channel.choice, channel.block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use serde_json::json;

    #[test]
    fn what_is_split_in_a_stream_is_found_whole() {
        let event = |text: &str| {
            let chunk = json!({"id": "i", "object": "chat.completion.chunk", "model": "m",
                "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
            format!("data: {chunk}\n\n")
        };
        let guard = Guard::new(&Settings::default()).unwrap();
        let body = event("write to jo") + &event("e.doe@exam") + &event("ple.org please") + "data: [DONE]\n\n";
        let mut hunt = Hunt::new(&guard);
        let found = hunt.examine(&Opened::of(Direction::Reply, true, &body)).unwrap();
        let rules: Vec<&str> = found.findings.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(rules, ["pii/email"]);
        assert_eq!(found.findings[0].span().of(&found.texts[0]), "joe.doe@example.org");
    }

    #[test]
    fn a_body_that_is_broken_is_said_to_be() {
        let guard = Guard::new(&Settings::default()).unwrap();
        let broken = Opened::of(Direction::Request, false, "{\"half");
        assert!(Hunt::new(&guard).examine(&broken).is_err());
    }
}
