//! Settings from the environment and from a file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Error, Layer, MAX_CONFIG_BYTES, Scope, environment, units};

/// Certificates or a key take about a page; a larger file is not one.
const MAX_PEM_BYTES: u64 = 1 << 20;

impl Layer {
    /// Parses each variable separately, so that an error can name it. A setting that `scope` does not use is not read.
    pub(super) fn from_environment(
        variables: impl Iterator<Item = (OsString, OsString)>,
        scope: Scope,
    ) -> Result<Self, Error> {
        let mut layer = Self::default();
        for (name, value) in variables {
            let Some(name) = environment::ours(&name) else {
                continue;
            };
            match environment::kind_of(name, &value) {
                environment::Kind::Setting(key) if scope.uses(&key) => {
                    layer = layer.over(Self::from_variable(name, key, value)?);
                }
                environment::Kind::Misspelt { nearest } => {
                    let name = name.to_owned();
                    return Err(Error::UnknownVariable { name, nearest });
                }
                environment::Kind::Setting(_)
                | environment::Kind::Platform
                | environment::Kind::Foreign => {}
            }
        }
        Ok(layer)
    }

    fn from_variable(name: &str, key: String, value: OsString) -> Result<Self, Error> {
        let bad = |cause: String| Error::Variable {
            name: name.to_owned(),
            cause,
        };
        // Paths may contain any bytes; the other settings are text.
        if key == "root" {
            let root = Some(units::split_roots(&value));
            return Ok(Self {
                root,
                ..Self::default()
            });
        }
        if key == "config" {
            let config = Some(PathBuf::from(value));
            return Ok(Self {
                config,
                ..Self::default()
            });
        }
        let text = value
            .into_string()
            .map_err(|_| bad("is not text".to_owned()))?;
        let table = BTreeMap::from([(key, text)]);
        let table = toml::Table::try_from(table).map_err(|error| bad(error.to_string()))?;
        table
            .try_into()
            .map_err(|error: toml::de::Error| bad(error.message().to_owned()))
    }

    pub(super) fn from_file(path: &Path) -> Result<Self, Error> {
        let unreadable = |cause| Error::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_CONFIG_BYTES {
            let path = path.to_owned();
            return Err(Error::TooLarge { path, size });
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mut layer: Self = toml::from_str(&text).map_err(|error| Error::File {
            path: path.to_owned(),
            cause: where_and_why(&text, &error),
        })?;
        if layer.config.is_some() {
            let path = path.to_owned();
            return Err(Error::Nested { path });
        }
        // Relative paths in a file are relative to the folder of the file.
        if let Some(folder) = path.parent() {
            for path in layer.paths() {
                *path = folder.join(&*path);
            }
        }
        Ok(layer)
    }

    /// Every path in the file's settings.
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let overrides = self.principals.iter_mut().flat_map(BTreeMap::values_mut);
        let narrowed = overrides.filter_map(|own| own.roots.as_mut());
        let roots = self.root.iter_mut().chain(narrowed).flatten();
        roots
            .chain(&mut self.redis_ca)
            .chain(&mut self.auth_tokens)
            .chain(&mut self.admin_token_file)
            .chain(&mut self.tls_cert)
            .chain(&mut self.tls_key)
            .chain(&mut self.pid_file)
    }

    /// The names of all settings, as in a file.
    pub(super) fn keys() -> Vec<String> {
        Self::augment_args(clap::Command::new("keys"))
            .get_arguments()
            .map(|argument| argument.get_id().to_string())
            .collect()
    }
}

/// The line number and the problem, without the line itself, which may contain a password.
fn where_and_why(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            format!("line {line}: {}", error.message())
        }
        None => error.message().to_owned(),
    }
}

/// Reads the certificates that a setting names.
///
/// # Errors
/// The file cannot be read, or is too large.
pub fn certificates(path: &Path) -> io::Result<Vec<u8>> {
    page(path, "certificates")
}

/// Reads the private key that a setting names.
///
/// # Errors
/// The file cannot be read, or is too large.
pub fn private_key(path: &Path) -> io::Result<Vec<u8>> {
    page(path, "private key")
}

fn page(path: &Path, what: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Read one byte more than allowed: a pipe reports no size.
    fs::File::open(path)?
        .take(MAX_PEM_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PEM_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("more than {MAX_PEM_BYTES} bytes: the file is too large for {what}"),
        ));
    }
    Ok(bytes)
}
