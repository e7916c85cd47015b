//! "Did you mean": the nearest of the words that would have been right.

/// The nearest candidate, if it is near enough to be a slip: a third of the letters, at least one.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase());
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `a, b and c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let check =
            |word: &str, expect| assert_eq!(nearest(word, ["port", "address", "bot", "memory"]), expect, "{word}");
        check("prot", Some("port"));
        check("Port", Some("port"));
        check("adress", Some("address"));
        check("bots", Some("bot"));
        check("memory_limit", None);
        check("colour", None);
        check("", None);
    }

    #[test]
    fn lists_read_as_sentences() {
        let check = |words: &[&str], expect| assert_eq!(listed(words.iter().copied()), expect);
        check(&[], "nothing");
        check(&["a"], "a");
        check(&["a", "b", "c"], "a, b and c");
    }
}
