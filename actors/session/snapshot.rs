//! The versioned stored form of a session. Only this module knows how a machine and its deltas are serialised.
//!
//! JSON, so that people and programs can read and check an export. Fields added by a version have defaults, unknown
//! fields are ignored, and a newer schema is refused without any change.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::machine::{Delta, Machine};
use crate::store::StoreError;

mod deltas;
mod stored;
mod upgrade;

use deltas::{StoredDelta, StoredDeltas};
use stored::StoredSession;

/// The schema version of everything below. Raise it when the meaning of a stored form changes, and add an upgrade step.
pub(crate) const SCHEMA: u32 = 3;

pub(crate) fn encode(machine: &Machine) -> Arc<[u8]> {
    to_bytes(&StoredSession::from(machine))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Machine, StoreError> {
    let stored: StoredSession = read(bytes)?;
    Ok(stored.into())
}

pub(crate) fn encode_deltas(deltas: &[Delta]) -> Arc<[u8]> {
    to_bytes(&StoredDeltas {
        schema: SCHEMA,
        deltas: deltas.iter().map(StoredDelta::from).collect(),
    })
}

pub(crate) fn decode_deltas(bytes: &[u8]) -> Result<Vec<Delta>, StoreError> {
    let stored: StoredDeltas = read(bytes)?;
    Ok(stored.deltas.into_iter().map(Delta::from).collect())
}

/// Folds a snapshot and the deltas after it into a machine.
pub(crate) fn fold(snapshot: &[u8], deltas: &[Arc<[u8]>]) -> Result<Machine, StoreError> {
    let mut machine = decode(snapshot)?;
    for bytes in deltas {
        decode_deltas(bytes)?
            .iter()
            .for_each(|delta| machine.apply(delta));
    }
    Ok(machine)
}

/// Whether any part has an older schema than the current one.
pub(crate) fn is_old(snapshot: &[u8], deltas: &[Arc<[u8]>]) -> bool {
    std::iter::once(snapshot)
        .chain(deltas.iter().map(AsRef::as_ref))
        .any(|bytes| schema_of(bytes).is_ok_and(|schema| schema < SCHEMA))
}

fn schema_of(bytes: &[u8]) -> Result<u32, StoreError> {
    #[derive(Deserialize)]
    struct Header {
        schema: u32,
    }
    from_bytes(bytes).map(|header: Header| header.schema)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let schema = schema_of(bytes)?;
    if schema > SCHEMA {
        return Err(StoreError::NewerSchema(schema));
    }
    if schema == SCHEMA {
        return from_bytes(bytes);
    }
    let mut form: Value = from_bytes(bytes)?;
    upgrade::upgrade(&mut form, schema);
    serde_json::from_value(form).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn to_bytes<T: Serialize>(value: &T) -> Arc<[u8]> {
    #[expect(
        clippy::expect_used,
        reason = "every value of the stored types can be written as JSON"
    )]
    serde_json::to_vec(value)
        .expect("a stored form is plain JSON")
        .into()
}

fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))
}
