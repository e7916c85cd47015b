//! Ids that somebody may have meant.

/// How many are named.
const MAX_NAMED: usize = 3;
/// Longest word that is compared, in characters: what a model invents has no bound.
const MAX_COMPARED_CHARS: usize = 64;

/// The known ids that are most like `word`, the nearest first. Blanks and capitals are read as in an id.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word: String = word.trim().to_lowercase().replace([' ', '-'], "_").chars().take(MAX_COMPARED_CHARS).collect();
    let own = |id: &str| id.split_once('.').map_or(id.to_owned(), |(_, name)| name.to_owned());
    let distance = |id: &str| strsim::damerau_levenshtein(&word, id).min(strsim::damerau_levenshtein(&word, &own(id)));
    let mut found: Vec<(usize, &str)> = known.map(|id| (distance(id), id)).collect();
    found.sort_unstable();
    found.into_iter().take(MAX_NAMED).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_spoken_names_are_found() {
        let known = ["light.bed_light", "light.kitchen_lights", "lock.front_door", "sensor.hall_temperature"];
        let check = |word: &str, expect: &str| assert_eq!(nearest(word, known.into_iter())[0], expect, "{word}");
        check("light.bed", "light.bed_light");
        check("Bed Light", "light.bed_light");
        check("lock.frontdoor", "lock.front_door");
        check("front-door", "lock.front_door");
        assert_eq!(nearest("x", known.into_iter()).len(), MAX_NAMED);
        assert!(nearest("x", [].into_iter()).is_empty());
    }
}
