//! Which files have the words, and the lines that were meant. Pure.

/// Lines of a file that are shown, and characters of one.
const MAX_LINES: usize = 3;
const MAX_LINE_CHARS: usize = 160;

/// What a file has of the words that were asked for. The greater is the better.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    /// How many of the words it has.
    pub words: usize,
    /// How often it has any of them, in its path too.
    pub times: usize,
    /// Number from 1 and text of its best lines, in their order.
    pub lines: Vec<(usize, String)>,
}

/// Words in small letters.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.sort();
    words.dedup();
    words
}

/// `None` where no word is.
pub(super) fn look(path: &str, text: &str, words: &[String]) -> Option<Match> {
    let lower_path = path.to_lowercase();
    let mut has: Vec<bool> = words.iter().map(|word| lower_path.contains(word.as_str())).collect();
    let mut times = has.iter().filter(|has| **has).count();
    let mut lines: Vec<(usize, usize, &str)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        let found = words.iter().enumerate().filter(|(_, word)| lower.contains(word.as_str()));
        let found: Vec<usize> = found.map(|(which, _)| which).collect();
        if !found.is_empty() {
            times += found.len();
            for which in &found {
                has[*which] = true;
            }
            lines.push((found.len(), index + 1, line));
        }
    }
    let words = has.into_iter().filter(|has| *has).count();
    // Stable: of equally good lines the first ones.
    lines.sort_by_key(|(found, ..)| std::cmp::Reverse(*found));
    lines.truncate(MAX_LINES);
    lines.sort_by_key(|(_, number, _)| *number);
    let lines = lines.into_iter().map(|(_, number, line)| (number, line.trim().chars().take(MAX_LINE_CHARS).collect()));
    (words > 0).then(|| Match { words, times, lines: lines.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_words_are_better_and_the_best_lines_are_shown() {
        let wanted = words("Retry queue");
        let both = look("a.md", "x\nretry\nthe retry QUEUE\n", &wanted).unwrap();
        let one = look("b.md", "queue queue\nqueue\nqueue\nqueue\n", &wanted).unwrap();
        assert!(both > one);
        assert_eq!(both.lines, [(2, "retry".to_owned()), (3, "the retry QUEUE".to_owned())]);
        assert_eq!(one.lines.len(), MAX_LINES);
        assert_eq!(look("retry.md", "nothing", &wanted).unwrap().lines, []);
        assert_eq!(look("c.md", "nothing", &wanted), None);
    }
}
