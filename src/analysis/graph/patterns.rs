//! Globs over paths as in manifests: `*` and `?` inside a name, `**` for any folders, `{a,b}` for alternatives.

/// Steps of all glob matches for one import: far more than real manifests need, some milliseconds of work.
pub(super) const STEPS: u32 = 1_000_000;
/// A longer pattern matches nothing: the limit for globs of callers.
const PATTERN_BYTES: usize = 1024;
/// Patterns that the braces of one pattern expand to, and pairs of braces that are read. Further ones are literal.
const EXPANDED: usize = 256;

/// Whether `path` matches `pattern`. Both are relative to the same folder, with `/`. False if no steps are left.
pub(super) fn matches(pattern: &str, path: &str, steps: &mut u32) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    if pattern.len() > PATTERN_BYTES || !take(steps, pattern.len()) {
        return false;
    }
    if !pattern.contains('{') {
        return parts(pattern, path, steps);
    }
    expanded(pattern)
        .iter()
        .any(|pattern| take(steps, pattern.len()) && parts(pattern, path, steps))
}

/// False if no steps are left.
fn take(steps: &mut u32, count: usize) -> bool {
    *steps = steps.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    *steps > 0
}

/// Every expansion of the braces.
fn expanded(pattern: &str) -> Vec<String> {
    let mut open = vec![pattern.to_owned()];
    let mut done = vec![];
    let mut read = 0;
    while let Some(pattern) = open.pop() {
        let braces = pattern
            .find('{')
            .and_then(|from| Some((from, from + pattern[from..].find('}')?)));
        let room = EXPANDED.saturating_sub(open.len() + done.len());
        match braces {
            Some((from, to)) if room > 0 && read < EXPANDED => {
                read += 1;
                let (before, after) = (&pattern[..from], &pattern[to + 1..]);
                let either = pattern[from + 1..to].split(',').take(room);
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
    // Where to continue if the text after the last `**` does not match.
    let mut again: Option<(usize, usize)> = None;
    while of < path.len() {
        if !take(steps, 1) {
            return false;
        }
        match pattern.get(at) {
            Some(&"**") => {
                again = Some((at, of));
                at += 1;
                continue;
            }
            Some(part) if name(part, path[of], steps) => {
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

fn name(pattern: &str, name: &str, steps: &mut u32) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut of) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while of < name.len() {
        if !take(steps, 1) {
            return false;
        }
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
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        super::matches(pattern, path, &mut STEPS.clone())
    }

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

    #[test]
    fn the_patterns_of_braces_are_bounded() {
        // Two hundred ways times two hundred ways.
        let many = format!("{{{}}}", "a,".repeat(199));
        assert_eq!(expanded(&format!("{many}{many}")).len(), EXPANDED);
        // Each pair holds one way: many pairs, one pattern.
        assert_eq!(expanded(&"{a}".repeat(300)).len(), 1);
        assert_eq!(expanded("{a,b}{c,d}").len(), 4);
        let long = "a".repeat(PATTERN_BYTES + 1);
        assert!(!matches(&long, &long));
        assert!(matches(&long[1..], &long[1..]));
    }

    #[test]
    fn a_match_over_the_step_limit_fails() {
        // After the star, the match restarts at each letter.
        let pattern = format!("*{}b", "a".repeat(1000));
        let mut steps = STEPS;
        assert!(!super::matches(&pattern, &"a".repeat(4000), &mut steps));
        assert_eq!(steps, 0);
        assert!(!super::matches("a", "a", &mut steps));
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
