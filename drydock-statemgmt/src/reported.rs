//! How much of what machines say is kept: they may say anything, at any length, for ever.

use drydock_model::task::Message;
use serde_json::Map;

/// Most messages of one step or task to which a machine can add. One more says that there were further ones.
const MOST: usize = 1_000;

/// Most bytes of one message: its text (UTF-8) and what was sent along (as JSON) together.
const LONGEST: usize = 64 * 1024;

/// The message after the last one kept.
const DROPPED: &str = "further messages were dropped";

/// What was said before, then as much of the report as there is room for.
pub(crate) fn keep(mut said: Vec<Message>, report: &[Message]) -> Vec<Message> {
    let room = MOST.saturating_sub(said.len());
    said.extend(report.iter().take(room).map(shortened));
    let told = || said.iter().skip(MOST).any(|kept| kept.message == DROPPED);
    if let Some(dropped) = report.get(room).filter(|_| !told()) {
        said.push(Message {
            message: DROPPED.to_owned(),
            extra: Map::new(),
            ..dropped.clone()
        });
    }
    said
}

/// The beginning of the text and those members of the extra that fit; the text ends with how many bytes there were.
fn shortened(message: &Message) -> Message {
    let size = |name: &str, value: &serde_json::Value| name.len() + value.to_string().len();
    let extra = message.extra.iter();
    let whole = message.message.len() + extra.map(|(name, value)| size(name, value)).sum::<usize>();
    if whole <= LONGEST {
        return message.clone();
    }
    let (text, _) = message
        .message
        .split_at(message.message.floor_char_boundary(LONGEST));
    let mut room = LONGEST - text.len();
    let mut extra = Map::new();
    for (name, value) in &message.extra {
        let size = size(name, value);
        if size <= room {
            room -= size;
            extra.insert(name.clone(), value.clone());
        }
    }
    Message {
        message: format!("{text} ... (cut, {whole} bytes)"),
        extra,
        error: message.error,
        context_type: message.context_type,
        context: message.context.clone(),
        ts: message.ts,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn message(text: &str) -> Message {
        Message::about(Some("n1"), true, text, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let mut longest = message(&"x".repeat(LONGEST - 5));
        longest.extra = json!({"abc": 17}).as_object().unwrap().clone();
        let said = keep(vec![message("before")], &[longest.clone(), message("")]);
        assert_eq!(said, [message("before"), longest, message("")]);
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters_and_says_so() {
        // Two bytes each: the limit falls between two, or into one.
        for (lead, kept) in [("", LONGEST), ("x", LONGEST - 1)] {
            let text = format!("{lead}{}", "\u{fc}".repeat(LONGEST));
            let cut = &keep(vec![], &[message(&text)])[0];
            let note = format!(" ... (cut, {} bytes)", text.len());
            let (head, tail) = cut.message.split_at(kept);
            assert!(text.starts_with(head));
            assert_eq!((tail, cut.error), (note.as_str(), true));
        }
    }

    #[test]
    fn of_the_extra_is_kept_what_fits() {
        let mut sent = message("text");
        sent.extra = json!({"a": 1, "log": "x".repeat(LONGEST), "z": [2]})
            .as_object()
            .unwrap()
            .clone();
        let cut = &keep(vec![], &[sent])[0];
        assert_eq!(json!(cut.extra), json!({"a": 1, "z": [2]}));
        // text, a1, log and its quotes, z[2]
        let whole = 4 + 2 + 3 + 2 + LONGEST + 4;
        assert_eq!(cut.message, format!("text ... (cut, {whole} bytes)"));
    }

    #[test]
    fn the_last_one_says_that_there_were_more_and_says_it_once() {
        let mut said = keep(vec![message("x"); MOST - 1], &[message("fits")]);
        assert_eq!((said.len(), &said[MOST - 1]), (MOST, &message("fits")));
        for _ in 0..3 {
            said = keep(said, &[message("a"), message("b")]);
            // What others than the machine say comes in all the same.
            said.push(message("from a step"));
        }
        assert_eq!(said.len(), MOST + 4);
        let told = said.iter().filter(|kept| kept.message == DROPPED).count();
        assert_eq!((told, said[MOST].message.as_str()), (1, DROPPED));
        assert_eq!(keep(vec![], &vec![message("x"); 5 * MOST]).len(), MOST + 1);
    }
}
