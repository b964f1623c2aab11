//! The Lua scripts: one per operation, each with every key declared.

use std::sync::LazyLock;

use redis::{Cmd, Script, cmd};

/// An operation and its script.
pub(super) struct Operation {
    /// Of the file.
    pub(super) name: &'static str,
    /// The command that runs it, for people.
    pub(super) command: &'static str,
    code: &'static str,
    script: LazyLock<Script>,
}

macro_rules! session_script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: Operation = Operation {
            name: $file,
            command: concat!("EVALSHA ", $file),
            code: concat!(
                include_str!("lua/prelude.lua"),
                include_str!(concat!("lua/", $file, ".lua"))
            ),
            script: LazyLock::new(|| Script::new($name.code)),
        };
    };
}

macro_rules! index_script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: Operation = Operation {
            name: $file,
            command: concat!("EVALSHA ", $file),
            code: concat!(
                include_str!("lua/index.lua"),
                include_str!(concat!("lua/", $file, ".lua"))
            ),
            script: LazyLock::new(|| Script::new($name.code)),
        };
    };
}

macro_rules! connection_script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: Operation = Operation {
            name: $file,
            command: concat!("EVALSHA ", $file),
            code: concat!(
                include_str!("lua/connection.lua"),
                include_str!(concat!("lua/", $file, ".lua"))
            ),
            script: LazyLock::new(|| Script::new($name.code)),
        };
    };
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: Operation = Operation {
            name: $file,
            command: concat!("EVALSHA ", $file),
            code: include_str!(concat!("lua/", $file, ".lua")),
            script: LazyLock::new(|| Script::new($name.code)),
        };
    };
}

session_script!(CREATE, "create");
session_script!(ACQUIRE, "acquire");
session_script!(COMMIT, "commit");
session_script!(RENEW, "renew");
session_script!(KEEP, "keep");
session_script!(RELEASE, "release");
session_script!(DELETE, "delete");
session_script!(REPAIR, "repair");
session_script!(QUARANTINE, "quarantine");
session_script!(LOOK, "look");
session_script!(RESULT, "result");
session_script!(READ, "read");
session_script!(DISCARD, "discard");
script!(CLAIM, "claim");
script!(UNCLAIM, "unclaim");
index_script!(LIST_PUT, "list_put");
index_script!(LIST_DROP, "list_drop");
index_script!(USAGE, "usage");
script!(RELAY_SEND, "relay_send");
connection_script!(CONNECTION_OPEN, "connection_open");
connection_script!(CONNECTION_FIND, "connection_find");
connection_script!(CONNECTION_CLOSE, "connection_close");
connection_script!(CONNECTION_APPEND, "connection_append");
connection_script!(CONNECTION_READ, "connection_read");
script!(CONNECTION_ENLIST, "connection_enlist");
script!(CACHE_PUT, "cache_put");
script!(CACHE_FORGET, "cache_forget");

/// Loaded when a connection opens.
pub(super) static ALL: [&Operation; 27] = [
    &CREATE,
    &ACQUIRE,
    &COMMIT,
    &RENEW,
    &KEEP,
    &RELEASE,
    &DELETE,
    &REPAIR,
    &QUARANTINE,
    &LOOK,
    &RESULT,
    &READ,
    &DISCARD,
    &CLAIM,
    &UNCLAIM,
    &LIST_PUT,
    &LIST_DROP,
    &USAGE,
    &RELAY_SEND,
    &CONNECTION_OPEN,
    &CONNECTION_FIND,
    &CONNECTION_CLOSE,
    &CONNECTION_APPEND,
    &CONNECTION_READ,
    &CONNECTION_ENLIST,
    &CACHE_PUT,
    &CACHE_FORGET,
];

/// The script with that hash.
pub(super) fn with_hash(hash: &[u8]) -> Option<&'static Operation> {
    ALL.into_iter()
        .find(|operation| operation.script.get_hash().as_bytes() == hash)
}

/// One call of an operation: first its keys, then its arguments.
pub(super) struct Invocation {
    pub(super) operation: &'static Operation,
    pub(super) command: Cmd,
}

impl Operation {
    /// Loads the script into a server that does not have it.
    pub(super) fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.code);
        load
    }

    pub(super) fn on(&'static self, keys: &[&str]) -> Invocation {
        let mut command = cmd("EVALSHA");
        command.arg(self.script.get_hash()).arg(keys.len());
        keys.iter().for_each(|key| {
            command.arg(*key);
        });
        Invocation {
            operation: self,
            command,
        }
    }
}

impl Invocation {
    pub(super) fn arg(mut self, argument: impl redis::ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }
}
