//! Token files: lines of `name: sha256`, with the digest that `printf %s "$TOKEN" | sha256sum` prints. No file of the
//! server contains a token itself. `server::access` reads the files at start and on SIGHUP.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::principals::{LOCAL, Name};

/// Room for thousands of lines; a larger file is not a token file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// A name, a digest and some room.
const MAX_LINE_BYTES: usize = 256;
/// Each request is compared with all tokens.
const MAX_TOKENS: usize = 4096;
const DIGEST_BYTES: usize = 32;
/// Digests of the empty string and of a line break, which result from hashing an unset variable.
const OF_NOTHING: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
];

/// One token of a principal. A principal may have several, so that a new one can be added before the old one is
/// removed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub name: Name,
    /// The SHA-256 digest.
    pub digest: [u8; DIGEST_BYTES],
}

/// Errors in a token file. They name lines but never quote them, because a line may contain a token.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read the tokens in {path}: {cause}", path = path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("the tokens in {path}, line {line}: {wrong}", path = path.display())]
    Line {
        path: PathBuf,
        line: usize,
        wrong: Wrong,
    },
    #[error("the tokens in {path}: {wrong}", path = path.display())]
    File { path: PathBuf, wrong: Wrong },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Wrong {
    #[error("the file is larger than {MAX_FILE_BYTES} bytes")]
    LongFile,
    #[error("it is not UTF-8 text")]
    NoText,
    #[error(
        "there are no tokens: add a line `name: DIGEST`, with what `printf %s \"$TOKEN\" | sha256sum` prints as DIGEST"
    )]
    Empty,
    #[error("more than {MAX_TOKENS} tokens")]
    Many,
    #[error("longer than {MAX_LINE_BYTES} bytes")]
    LongLine,
    #[error("there is no colon: write `name: DIGEST`")]
    NoColon,
    #[error(transparent)]
    Name(#[from] super::principals::NoName),
    #[error("`{LOCAL}` is the principal of callers without a token: choose another name")]
    Local,
    #[error(
        "the text after the name is not a SHA-256 digest in hexadecimal: write the 64 digits that \
         `printf %s \"$TOKEN\" | sha256sum` prints (of the token alone: `echo` would add a line break), never the token itself"
    )]
    NoDigest,
    #[error("this is the digest of an empty token: was the variable set?")]
    OfNothing,
    #[error("the digest is in line {0} already: each token belongs to one principal")]
    Again(usize),
}

/// # Errors
/// The file cannot be read, or a line is invalid. Loading only the valid lines would lock some principals out.
pub fn read(path: &Path) -> Result<Vec<Token>, Error> {
    let mut bytes = Vec::new();
    // Read one byte more than allowed: a pipe reports no size.
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|cause| Error::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
    tokens_of(&bytes).map_err(|(line, wrong)| {
        let path = path.to_owned();
        match line {
            Some(line) => Error::Line { path, line, wrong },
            None => Error::File { path, wrong },
        }
    })
}

fn tokens_of(bytes: &[u8]) -> Result<Vec<Token>, (Option<usize>, Wrong)> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err((None, Wrong::LongFile));
    }
    let text = str::from_utf8(bytes).map_err(|_| (None, Wrong::NoText))?;
    let mut tokens: Vec<(usize, Token)> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let token = token_of(text).map_err(|wrong| (Some(line), wrong))?;
        let before = tokens
            .iter()
            .find(|(_, other)| other.digest == token.digest);
        if let Some((before, _)) = before {
            return Err((Some(line), Wrong::Again(*before)));
        }
        if tokens.len() == MAX_TOKENS {
            return Err((Some(line), Wrong::Many));
        }
        tokens.push((line, token));
    }
    if tokens.is_empty() {
        return Err((None, Wrong::Empty));
    }
    Ok(tokens.into_iter().map(|(_, token)| token).collect())
}

fn token_of(line: &str) -> Result<Token, Wrong> {
    if line.len() > MAX_LINE_BYTES {
        return Err(Wrong::LongLine);
    }
    let (name, digest) = line.split_once(':').ok_or(Wrong::NoColon)?;
    let name: Name = name.trim_end().parse()?;
    if name.as_str() == LOCAL {
        return Err(Wrong::Local);
    }
    let digest = digest.trim();
    // `sha256sum` prints ` -` after the digest of its input.
    let digest = digest.strip_suffix('-').map_or(digest, str::trim_end);
    if OF_NOTHING.contains(&digest.to_ascii_lowercase().as_str()) {
        return Err(Wrong::OfNothing);
    }
    let digest = digest_of(digest).ok_or(Wrong::NoDigest)?;
    Ok(Token { name, digest })
}

fn digest_of(text: &str) -> Option<[u8; DIGEST_BYTES]> {
    let mut digest = [0; DIGEST_BYTES];
    if text.len() != 2 * DIGEST_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    /// `printf %s open-sesame | sha256sum`
    const DIGEST: &str = "d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7";
    const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000001";

    fn names(text: &str) -> Result<Vec<String>, (Option<usize>, Wrong)> {
        let tokens = tokens_of(text.as_bytes())?;
        Ok(tokens.iter().map(|token| token.name.to_string()).collect())
    }

    #[test]
    fn a_line_is_a_name_and_the_output_of_sha256sum() {
        let text = format!(
            "# who may call\n\nalice: {DIGEST}  -\r\n  alice:{}\nci@example.com :{}\n",
            OTHER.to_uppercase(),
            OTHER.replace('1', "2")
        );
        assert_eq!(
            names(&text),
            Ok(vec![
                "alice".into(),
                "alice".into(),
                "ci@example.com".into()
            ])
        );
    }

    #[test]
    fn errors_name_the_line_and_never_quote_it() {
        let secret = "open-sesame";
        for (line, wrong) in [
            (secret.to_owned(), Wrong::NoColon),
            (format!("alice: {secret}"), Wrong::NoDigest),
            (format!("alice: {}", &DIGEST[1..]), Wrong::NoDigest),
            (format!("alice: {DIGEST}  {secret}"), Wrong::NoDigest),
            (
                format!("{secret} {secret}: {DIGEST}"),
                Wrong::Name(crate::config::principals::NoName),
            ),
            (
                format!(": {DIGEST}"),
                Wrong::Name(crate::config::principals::NoName),
            ),
            (format!("local: {DIGEST}"), Wrong::Local),
            (format!("alice: {}", OF_NOTHING[0]), Wrong::OfNothing),
            (format!("alice: {}  -", OF_NOTHING[1]), Wrong::OfNothing),
            (format!("bob: {OTHER}"), Wrong::Again(1)),
            (format!("{secret}{}", "x".repeat(300)), Wrong::LongLine),
        ] {
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            fs::write(file.path(), format!("eve: {OTHER}\n\n{line}\n")).expect("written");
            let error = read(file.path()).expect_err(&line);
            assert!(
                matches!(&error, Error::Line { line: 3, wrong: is, .. } if *is == wrong),
                "{line}: {error}"
            );
            assert!(!error.to_string().contains(secret), "{error}");
        }
    }

    #[test]
    fn an_empty_binary_or_large_file_is_refused() {
        assert_eq!(names("# no tokens\n"), Err((None, Wrong::Empty)));
        assert_eq!(tokens_of(b"\xff").err(), Some((None, Wrong::NoText)));
        let long = "#".repeat(1 << 20) + "#";
        assert_eq!(names(&long), Err((None, Wrong::LongFile)));
        let missing = read(Path::new("/nowhere/tokens")).expect_err("missing");
        assert!(missing.to_string().contains("/nowhere/tokens"), "{missing}");
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let line = |n: usize| format!("a: {n:064x}\n");
        let many: String = (1..=MAX_TOKENS).map(line).collect();
        assert_eq!(names(&many).map(|all| all.len()), Ok(MAX_TOKENS));
        let more = many + &line(MAX_TOKENS + 1);
        assert_eq!(names(&more), Err((Some(MAX_TOKENS + 1), Wrong::Many)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = tokens_of(&bytes);
        }

        #[test]
        fn hexadecimal_digests_round_trip(digest: [u8; DIGEST_BYTES]) {
            let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(digest_of(&text), Some(digest));
        }
    }
}
