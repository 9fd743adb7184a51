//! What was probably meant by a misspelt word.

/// The candidate most like `word`, when one is like enough: at most one edit in three letters. Ties go to the earlier candidate. One
/// that differs in its digits only is none: `rack2` is no misspelt `rack1`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| {
            candidate.len().abs_diff(word.len()) <= word.len() && !same_but_digits(word, candidate)
        })
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn same_but_digits(word: &str, candidate: &str) -> bool {
    let letters = |text: &str| {
        text.chars()
            .filter(|c| !c.is_ascii_digit())
            .collect::<String>()
    };
    letters(word) == letters(candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelling_finds_its_word() {
        let fields = ["subnet", "gateway", "metric", "routedomain"];
        assert_eq!(nearest("gateawy", fields), Some("gateway"));
        assert_eq!(nearest("route_domain", fields), Some("routedomain"));
    }

    #[test]
    fn a_stranger_finds_nothing() {
        assert_eq!(nearest("colour", ["subnet", "gateway"]), None);
        assert_eq!(nearest("", ["subnet"]), None);
        assert_eq!(nearest("rack2", ["rack1"]), None);
    }
}
