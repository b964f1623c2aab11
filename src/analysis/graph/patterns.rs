//! Globs over paths as manifests write them: `*` and `?` inside a name, `**` for any folders, `{a,b}` either.

/// Steps of one comparison: far more than any pattern that people write takes.
const STEPS: u32 = 100_000;
/// Patterns that braces make of one.
const EXPANDED: usize = 256;

/// Whether `path` is what `pattern` means. Both relative to the same folder, with `/`.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    let mut steps = STEPS;
    expanded(pattern)
        .iter()
        .any(|pattern| parts(pattern, path, &mut steps))
}

/// Every way to read the braces.
fn expanded(pattern: &str) -> Vec<String> {
    let mut open = vec![pattern.to_owned()];
    let mut done = vec![];
    while let Some(pattern) = open.pop() {
        let braces = pattern
            .find('{')
            .and_then(|from| Some((from, from + pattern[from..].find('}')?)));
        match braces {
            Some((from, to)) if open.len() + done.len() < EXPANDED => {
                let (before, after) = (&pattern[..from], &pattern[to + 1..]);
                let either = pattern[from + 1..to].split(',');
                open.extend(either.map(|one| format!("{before}{one}{after}")));
            }
            Some(_) | None => done.push(pattern),
        }
    }
    done
}

fn parts(pattern: &str, path: &str, steps: &mut u32) -> bool {
    let pattern: Vec<&str> = pattern.split('/').filter(|part| *part != ".").collect();
    let path: Vec<&str> = path.split('/').collect();
    let (mut at, mut of) = (0, 0);
    // Where to go on when what follows the last `**` does not fit.
    let mut again: Option<(usize, usize)> = None;
    while of < path.len() {
        *steps = steps.saturating_sub(1);
        if *steps == 0 {
            return false;
        }
        match pattern.get(at) {
            Some(&"**") => {
                again = Some((at, of));
                at += 1;
                continue;
            }
            Some(part) if name(part, path[of]) => {
                at += 1;
                of += 1;
                continue;
            }
            Some(_) | None => {}
        }
        let Some((stars, from)) = again else {
            return false;
        };
        again = Some((stars, from + 1));
        at = stars + 1;
        of = from + 1;
    }
    pattern[at..].iter().all(|part| *part == "**")
}

fn name(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at, of));
                at += 1;
                continue;
            }
            Some(b'?') => {
                at += 1;
                of += 1;
                continue;
            }
            Some(byte) if *byte == name[of] => {
                at += 1;
                of += 1;
                continue;
            }
            Some(_) | None => {}
        }
        let Some((star, from)) = again else {
            return false;
        };
        again = Some((star, from + 1));
        at = star + 1;
        of = from + 1;
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_of_manifests() {
        for (pattern, path, expected) in [
            ("packages/*", "packages/a", true),
            ("packages/*", "packages/a/b", false),
            ("packages/**", "packages/a/b", true),
            ("packages/**", "packages", true),
            ("./apps/web/", "apps/web", true),
            ("**/*.test.ts", "a.test.ts", true),
            ("**/*.test.ts", "x/y/a.test.ts", true),
            ("**/*.test.ts", "x/y/a.ts", false),
            ("src/**/x/*.ts", "src/a/x/b/x/c.ts", true),
            ("src/{a,b}/*", "src/b/c", true),
            ("src/{a,b}/*", "src/c/c", false),
            ("a?c*", "abcd", true),
            ("*", "", true),
            ("crates/*-core", "crates/x-core", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_means_itself(path in "[a-z]{1,4}(/[a-z]{1,4}){0,4}") {
            proptest::prop_assert!(matches(&path, &path));
            proptest::prop_assert!(matches("**", &path));
            let inside = format!("{path}/**");
            proptest::prop_assert!(matches(&inside, &path));
        }

        #[test]
        fn no_pattern_hangs(pattern in "[a*?/{},.]{0,40}", path in "[a/.]{0,40}") {
            let _ = matches(&pattern, &path);
        }
    }
}
