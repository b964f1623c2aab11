//! Finds the names in a query of Prometheus, and compares them with the list of what the service exports.

use std::iter::Peekable;
use std::str::Chars;

use telemetry::Kind;
use telemetry::list::METRICS;

/// Words that stand where a metric could, and are none.
const KEYWORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];
/// Words before a list of labels.
const GROUPINGS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["instance", "job"];

/// What a query names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Named {
    pub(super) selectors: Vec<Selector>,
    /// Labels of `by (…)`, `on (…)` and the like.
    grouped: Vec<String>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Selector {
    pub(super) metric: String,
    /// Label, operator and value.
    pub(super) matchers: Vec<(String, String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number,
    Symbol(char),
}

/// What of a query is not exported; empty: everything is.
pub(super) fn unknown(query: &str) -> Vec<String> {
    let named = Named::of(query);
    let mut wrong = Vec::new();
    let mut labels: Vec<String> = ADDED.map(str::to_owned).into();
    for selector in &named.selectors {
        let Some(found) = labels_of(&selector.metric) else {
            wrong.push(format!("no metric: {}", selector.metric));
            continue;
        };
        for (label, operator, value) in &selector.matchers {
            let known = found.iter().find(|known| known.name == *label);
            match known {
                Some(known) => {
                    let exact = matches!(operator.as_str(), "=" | "!=") && !value.is_empty();
                    let told = known.says.is_empty() || known.says.contains(&format!("`{value}`"));
                    if exact && !told {
                        wrong.push(format!("no value of {label}: {value}"));
                    }
                }
                None if ADDED.contains(&label.as_str()) => {}
                None => wrong.push(format!("no label of {}: {label}", selector.metric)),
            }
        }
        labels.extend(found.into_iter().map(|label| label.name));
    }
    for label in named.grouped.iter().filter(|label| !labels.contains(label)) {
        wrong.push(format!("no label of the query: {label}"));
    }
    wrong
}

struct Label {
    name: String,
    /// Where its values are named; empty if they are open.
    says: String,
}

/// `None`: no such metric.
fn labels_of(name: &str) -> Option<Vec<Label>> {
    if name == "up" {
        return Some(Vec::new());
    }
    for metric in METRICS {
        let text = metric.text_name();
        let is_bucket = name == format!("{text}_bucket");
        let names = match metric.kind() {
            Kind::Counter => name == format!("{text}_total"),
            Kind::Gauge => name == text,
            Kind::Histogram(_) => {
                is_bucket
                    || ["_sum", "_count"]
                        .iter()
                        .any(|end| name == text.clone() + end)
            }
        };
        if names {
            let labels = metric.labels().iter().map(|label| Label {
                name: label.key().replace('.', "_"),
                says: if label.key().starts_with("mca.") {
                    format!("{} {}", label.says(), metric.says())
                } else {
                    String::new()
                },
            });
            let bound = is_bucket.then(|| Label {
                name: "le".to_owned(),
                says: String::new(),
            });
            return Some(labels.chain(bound).collect());
        }
    }
    None
}

impl Named {
    pub(super) fn of(query: &str) -> Self {
        let tokens = tokens(query);
        let mut named = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            let next = tokens.get(at + 1);
            match &tokens[at] {
                Token::Word(word)
                    if GROUPINGS.contains(&word.as_str()) && next == Some(&Token::Symbol('(')) =>
                {
                    let end = close(&tokens, at, ')');
                    for token in &tokens[at..end] {
                        if let Token::Word(label) = token
                            && label != word
                        {
                            named.grouped.push(label.clone());
                        }
                    }
                    at = end;
                }
                Token::Word(word) if KEYWORDS.contains(&word.as_str()) => {}
                // A function, or an aggregation: `sum(…)`, `sum by (…) (…)`.
                Token::Word(_) if next == Some(&Token::Symbol('(')) => {}
                Token::Word(_) if matches!(next, Some(Token::Word(word)) if GROUPINGS.contains(&word.as_str())) =>
                    {}
                Token::Word(metric) => {
                    let mut selector = Selector {
                        metric: metric.clone(),
                        ..Selector::default()
                    };
                    if next == Some(&Token::Symbol('{')) {
                        let end = close(&tokens, at, '}');
                        selector.matchers = matchers(&tokens[at + 2..end]);
                        at = end;
                    }
                    named.selectors.push(selector);
                }
                Token::Symbol('[') => at = close(&tokens, at, ']'),
                Token::Text(_) | Token::Number | Token::Symbol(_) => {}
            }
            at += 1;
        }
        named
    }
}

fn close(tokens: &[Token], from: usize, with: char) -> usize {
    let end = tokens[from..]
        .iter()
        .position(|token| *token == Token::Symbol(with));
    from + end.unwrap_or_else(|| panic!("no {with}"))
}

fn matchers(tokens: &[Token]) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for one in tokens.split(|token| *token == Token::Symbol(',')) {
        let [Token::Word(label), operator @ .., Token::Text(value)] = one else {
            panic!("no matcher: {one:?}");
        };
        let operator = operator.iter().map(|token| match token {
            Token::Symbol(symbol) => *symbol,
            Token::Word(_) | Token::Text(_) | Token::Number => '?',
        });
        found.push((label.clone(), operator.collect(), value.clone()));
    }
    found
}

fn tokens(query: &str) -> Vec<Token> {
    let mut chars = query.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(first) = chars.next() {
        tokens.push(match first {
            ' ' | '\n' => continue,
            '"' => {
                let text: String = chars.by_ref().take_while(|char| *char != '"').collect();
                Token::Text(text)
            }
            '0'..='9' => {
                rest(&mut chars);
                Token::Number
            }
            'a'..='z' | 'A'..='Z' | '_' => Token::Word(format!("{first}{}", rest(&mut chars))),
            symbol => Token::Symbol(symbol),
        });
    }
    tokens
}

fn rest(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(char) =
        chars.next_if(|char| char.is_ascii_alphanumeric() || "_:.".contains(*char))
    {
        word.push(char);
    }
    word
}

#[test]
fn names_of_a_query_are_found() {
    let query = r#"sum by (instance, le) (rate(a_total{x="1", y!~"b,c"}[5m])) / on (z) b offset 15m > 0.5 or vector(0)"#;
    let matcher = |label: &str, operator: &str, value: &str| {
        (label.to_owned(), operator.to_owned(), value.to_owned())
    };
    let a = Selector {
        metric: "a_total".to_owned(),
        matchers: vec![matcher("x", "=", "1"), matcher("y", "!~", "b,c")],
    };
    let b = Selector {
        metric: "b".to_owned(),
        matchers: Vec::new(),
    };
    let expected = Named {
        selectors: vec![a, b],
        grouped: ["instance", "le", "z"].map(str::to_owned).into(),
    };
    assert_eq!(Named::of(query), expected);
}

#[test]
fn what_is_not_exported_is_found() {
    for (query, wrong) in [
        ("mca_sessions", ""),
        ("sum by (mca_state) (mca_sessions{instance=\"a\"})", ""),
        ("mca_session_quarantines", "no metric"),
        ("mca_sessions_total", "no metric"),
        ("mca_commit_duration_seconds", "no metric"),
        ("mca_sessions{state=\"awake\"}", "no label of mca_sessions"),
        ("sum by (mca_actor) (mca_sessions)", "no label of the query"),
        ("mca_call_errors_total{mca_fault=\"server\"}", ""),
        (
            "mca_call_errors_total{mca_fault=\"ours\"}",
            "no value of mca_fault",
        ),
        ("sum by (le) (mca_commit_size_bytes_bucket)", ""),
        (
            "sum by (le) (mca_commit_size_bytes_sum)",
            "no label of the query",
        ),
    ] {
        let found = unknown(query).join(", ");
        assert!(found.starts_with(wrong), "{query}: {found}");
        assert_eq!(found.is_empty(), wrong.is_empty(), "{query}: {found}");
    }
}
