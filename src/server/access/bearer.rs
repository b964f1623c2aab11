//! Authentication by bearer token. A token is accepted in the header `Authorization` only. Its hash is compared with
//! every digest in the operator's file in constant time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use actors::ids::Principal;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use tokio_util::sync::CancellationToken;

use super::{Admitted, Authenticator, Refused};
use crate::config::tokens::{self, Token, Wrong};

/// A 256-bit token has 64 hex digits; longer ones are refused, to avoid hashing large input.
const MAX_TOKEN_BYTES: usize = 1024;

/// The tokens of one file, as last read successfully.
pub struct Bearer {
    file: PathBuf,
    /// Read by each request and written on SIGHUP; the lock is held only to copy the reference.
    known: RwLock<Arc<[Known]>>,
}

#[derive(Clone)]
struct Known {
    token: Token,
    /// Cancelled when the file no longer has this token.
    withdrawn: CancellationToken,
}

impl Bearer {
    /// # Errors
    /// The file cannot be read, or is invalid.
    pub fn open(file: &Path) -> Result<Self, tokens::Error> {
        let known = tokens::read(file)?.into_iter().map(Known::new).collect();
        Ok(Self {
            file: file.to_owned(),
            known: RwLock::new(known),
        })
    }

    fn known(&self) -> Arc<[Known]> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known)
    }

    /// Replaces the tokens. Callers whose tokens are still in the list stay connected.
    fn replace(&self, tokens: Vec<Token>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let (kept, gone): (Vec<_>, Vec<_>) = known
            .iter()
            .cloned()
            .partition(|known| tokens.contains(&known.token));
        let new = tokens.into_iter().map(|token| {
            let before = kept.iter().find(|known| known.token == token);
            before.cloned().unwrap_or_else(|| Known::new(token))
        });
        *known = new.collect();
        gone.iter().for_each(|known| known.withdrawn.cancel());
    }
}

impl Known {
    fn new(token: Token) -> Self {
        Self {
            token,
            withdrawn: CancellationToken::new(),
        }
    }
}

impl Authenticator for Bearer {
    fn admit(&self, headers: &HeaderMap) -> Result<Admitted, Refused> {
        let token = token_of(headers)?;
        let known = self.known();
        let Known { token, withdrawn } = find(&known, token).ok_or(Refused::Unknown)?;
        Ok(Admitted {
            principal: Principal::named(token.name.as_str()),
            withdrawn: withdrawn.clone(),
        })
    }

    fn reload(&self) {
        match tokens::read(&self.file) {
            Ok(new) => {
                tracing::info!(file = %self.file.display(), tokens = new.len(), "tokens read again");
                self.replace(new);
            }
            // Removing the last token is a valid change.
            Err(tokens::Error::File {
                wrong: Wrong::Empty,
                ..
            }) => {
                tracing::warn!(file = %self.file.display(), "the file has no tokens: every call is refused");
                self.replace(Vec::new());
            }
            Err(error) => {
                tracing::error!(file = %self.file.display(), %error, "tokens cannot be read again: those read before stay valid");
            }
        }
    }
}

/// RFC 6750, section 2.1.
fn token_of(headers: &HeaderMap) -> Result<&[u8], Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let first = values.next().map(HeaderValue::as_bytes);
    if values.next().is_some() {
        return Err(Refused::Unreadable);
    }
    let Some((scheme, rest)) = first.and_then(|value| value.split_at_checked("Bearer".len()))
    else {
        return Err(Refused::Missing);
    };
    // Another authentication scheme is not a bearer token.
    if !scheme.eq_ignore_ascii_case(b"Bearer") || rest.first().is_some_and(|byte| *byte != b' ') {
        return Err(Refused::Missing);
    }
    let token = rest.trim_ascii();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.iter().all(allowed) {
        return Err(Refused::Unreadable);
    }
    Ok(token)
}

/// Compares all digests, so that the time does not depend on the position of a match.
fn find<'a>(known: &'a [Known], token: &[u8]) -> Option<&'a Known> {
    let digest = Sha256::digest(token);
    let mut place = u32::MAX;
    for (at, known) in (0..).zip(known) {
        let fits = known.token.digest.ct_eq(&digest[..]);
        place.conditional_assign(&at, fits);
    }
    known.get(usize::try_from(place).ok()?)
}

#[cfg(test)]
mod tests;
