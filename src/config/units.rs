//! Types of setting values, in the form in which people write them.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use thiserror::Error;

/// A duration: `500ms`, `30s`, `5m`, `24h`, `7d`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(pub Duration);

/// A size in bytes: `65536`, `64KiB`, `256MiB`, `1GiB`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub usize);

/// A small count, such as workers; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub usize);

/// A large count, such as sessions; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub u32);

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(pub bool);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    #[error("{0:?} is not a duration: write a whole number and ms, s, m, h or d, as in 30s or 24h")]
    Period(String),
    #[error("{0:?} is not a size: write a whole number of bytes, or one with KiB, MiB or GiB")]
    Bytes(String),
    #[error("{0:?} is not a count: write a whole number from 1 to {MAX_COUNT}")]
    Count(String),
    #[error("{0:?} is not a number: write a whole number from 1 to {MAX_AMOUNT}")]
    Amount(String),
    #[error("{0:?} is neither true nor false")]
    Switch(String),
}

/// More workers than this have no cores to run on.
const MAX_COUNT: usize = 1024;
/// No machine serves more, so a larger number is a typing error.
const MAX_AMOUNT: u32 = 10_000_000;
/// A century: a longer duration is a typing error, and would overflow the clock.
const MAX_PERIOD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl FromStr for Period {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::Period(text.to_owned());
        let (number, unit) = split(text).ok_or_else(invalid)?;
        let millis_each: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid()),
        };
        let millis = number.checked_mul(millis_each).ok_or_else(invalid)?;
        let period = Duration::from_millis(millis);
        if period.is_zero() || period > MAX_PERIOD {
            return Err(invalid());
        }
        Ok(Self(period))
    }
}

impl FromStr for Bytes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::Bytes(text.to_owned());
        let (number, unit) = split(text).ok_or_else(invalid)?;
        let each: u64 = match unit {
            "" | "B" => 1,
            "KiB" | "K" => 1 << 10,
            "MiB" | "M" => 1 << 20,
            "GiB" | "G" => 1 << 30,
            _ => return Err(invalid()),
        };
        let bytes = number.checked_mul(each).ok_or_else(invalid)?;
        let bytes = usize::try_from(bytes).map_err(|_| invalid())?;
        if bytes == 0 {
            return Err(invalid());
        }
        Ok(Self(bytes))
    }
}

impl FromStr for Count {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .ok()
            .filter(|count| (1..=MAX_COUNT).contains(count))
            .map(Self)
            .ok_or_else(|| Invalid::Count(text.to_owned()))
    }
}

impl FromStr for Amount {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .ok()
            .filter(|amount| (1..=MAX_AMOUNT).contains(amount))
            .map(Self)
            .ok_or_else(|| Invalid::Amount(text.to_owned()))
    }
}

impl FromStr for Switch {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "true" | "1" => Ok(Self(true)),
            "false" | "0" => Ok(Self(false)),
            other => Err(Invalid::Switch(other.to_owned())),
        }
    }
}

/// Directories in one variable, joined by `:` as in PATH (`;` on Windows).
pub fn split_roots(text: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(text)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// The leading digits, and the unit after them.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim_start()))
}

// === in files and in the environment: text, or a bare number ===

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a string, a whole number, true or false"
)]
enum Scalar {
    Switch(bool),
    Number(u64),
    Text(String),
}

impl Scalar {
    fn parse<T: FromStr<Err = Invalid>, E: serde::de::Error>(self) -> Result<T, E> {
        match self {
            Self::Switch(on) => on.to_string().parse(),
            Self::Number(number) => number.to_string().parse(),
            Self::Text(text) => text.parse(),
        }
        .map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.parse()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.parse()
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.parse()
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.parse()
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scalar::deserialize(deserializer)?.parse()
    }
}

/// One path or a list of paths.
pub(super) fn roots<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<PathBuf>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a path or a list of paths")]
    enum OneOrMany {
        One(PathBuf),
        Many(Vec<PathBuf>),
    }
    let roots = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(root) => vec![root],
        OneOrMany::Many(roots) => roots,
    };
    if roots.is_empty() || roots.iter().any(|root| root.as_os_str().is_empty()) {
        return Err(D::Error::custom(
            "expected at least one path, and none empty",
        ));
    }
    Ok(Some(roots))
}

/// A list, or one comma-separated text as in a variable.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a string or a list of strings")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => text.split(',').map(str::to_owned).collect(),
        OneOrMany::Many(texts) => texts,
    };
    let items = texts.iter().map(|text| text.trim().parse::<T>());
    items
        .collect::<Result<Vec<T>, _>>()
        .map(Some)
        .map_err(D::Error::custom)
}
