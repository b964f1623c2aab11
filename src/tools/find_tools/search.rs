//! Ranks tools by the words of a query: stems of names, tags, synonyms and descriptions; typos match too. Pure.

use super::super::Entry;

/// The value of a match in each place.
const NAME: f64 = 5.0;
const TAG: f64 = 4.0;
const WORD: f64 = 3.0;
const TITLE: f64 = 2.0;
const DESCRIPTION: f64 = 1.5;
const ARGUMENT: f64 = 1.0;
/// A similar word counts half.
const NEARLY: f64 = 0.5;
/// Words are similar from this value on (Jaro-Winkler): one typo in six letters.
const SIMILAR: f64 = 0.92;
/// Words used of a query; more words of a long query do not improve the result.
const MAX_WORDS: usize = 20;

/// Words without information about the wanted tool.
const STOP_WORDS: [&str; 45] = [
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "code", "did", "do", "does", "find",
    "for", "from", "has", "have", "i", "in", "into", "is", "it", "its", "make", "me", "my", "of",
    "on", "or", "our", "please", "show", "that", "the", "there", "they", "this", "to", "too",
    "want", "we", "what", "which", "with",
];

/// The best first; all tools, unranked, if the query has no words.
pub(super) fn ranked<'e>(
    query: &str,
    entries: impl Iterator<Item = &'e Entry>,
) -> Vec<(&'e Entry, f64)> {
    let wanted = wanted(query);
    if wanted.is_empty() {
        return if query.trim().is_empty() {
            entries.map(|entry| (entry, 0.0)).collect()
        } else {
            Vec::new()
        };
    }
    let entries: Vec<&Entry> = entries.collect();
    let worths: Vec<Vec<f64>> = entries.iter().map(|entry| worths(entry, &wanted)).collect();
    let telling: Vec<f64> = (0..wanted.len())
        .map(|word| telling(word, &worths))
        .collect();
    let score = |worths: &Vec<f64>| {
        worths
            .iter()
            .zip(&telling)
            .map(|(worth, telling)| worth * telling)
            .sum()
    };
    let mut found: Vec<(&Entry, f64)> = (entries.into_iter())
        .zip(worths.iter().map(score))
        .filter(|(_, score)| *score > 0.0)
        .collect();
    // A stable sort: equal tools stay in the order of the catalogue.
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    found
}

/// The stems of a query; stop words only if it has no other words.
fn wanted(query: &str) -> Vec<String> {
    let all: Vec<String> = words(query).take(MAX_WORDS).collect();
    let telling = all
        .iter()
        .filter(|word| !STOP_WORDS.contains(&word.as_str()));
    let telling: Vec<String> = telling.map(|word| stem(word)).collect();
    if telling.is_empty() {
        return all.iter().map(|word| stem(word)).collect();
    }
    telling
}

/// A word of few tools counts more: inverse document frequency.
fn telling(word: usize, worths: &[Vec<f64>]) -> f64 {
    let knowing = worths.iter().filter(|worths| worths[word] > 0.0).count();
    (1.0 + worths.len() as f64 / knowing.max(1) as f64).ln()
}

/// The best match of each wanted word.
fn worths(entry: &Entry, wanted: &[String]) -> Vec<f64> {
    let mut places: Vec<(f64, String)> = Vec::new();
    let mut place = |weight: f64, text: &str| {
        places.extend(words(text).map(|word| (weight, stem(&word))));
    };
    place(NAME, entry.name);
    entry.tags.iter().for_each(|tag| place(TAG, tag));
    entry.words.iter().for_each(|word| place(WORD, word));
    place(TITLE, entry.title);
    place(DESCRIPTION, entry.description);
    for argument in &entry.arguments {
        place(ARGUMENT, argument.name);
    }
    let best = |word: &String| {
        let worth = places
            .iter()
            .map(|(weight, known)| weight * likeness(word, known));
        worth.fold(0.0, f64::max)
    };
    wanted.iter().map(best).collect()
}

fn likeness(word: &str, known: &str) -> f64 {
    if word == known {
        return 1.0;
    }
    // Short words are similar by chance.
    let (shorter, longer) = (word.len().min(known.len()), word.len().max(known.len()));
    if shorter < 4 {
        return 0.0;
    }
    let is_prefix = word.starts_with(known) || known.starts_with(word);
    if (is_prefix && longer - shorter <= 4) || strsim::jaro_winkler(word, known) >= SIMILAR {
        return NEARLY;
    }
    0.0
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Endings that do not change the meaning: `functions`, `imported`, `nesting`, `complicated` and `complexity`.
fn stem(word: &str) -> String {
    const ENDINGS: [&str; 12] = [
        "icated", "ities", "ity", "ings", "ing", "ies", "ied", "ed", "es", "s", "e", "y",
    ];
    /// The minimum length of a stem.
    const MIN_STEM: usize = 3;
    for ending in ENDINGS {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() >= MIN_STEM
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_do_not_matter() {
        for (a, b) in [
            ("functions", "function"),
            ("imports", "imported"),
            ("dependencies", "dependency"),
            ("nesting", "nested"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} and {b}");
        }
    }
}
