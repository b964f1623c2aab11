//! Events of the log: those that production code logs at the levels error, warn and info. `tests/tidy/logs.rs` compares
//! the table with the code.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::define::{LogEvent, LogLevel};

/// The name of the event with this level (`ERROR`) and message.
pub fn named(level: &str, message: &str) -> Option<&'static str> {
    static BY_MESSAGE: LazyLock<HashMap<&'static str, &'static LogEvent>> =
        LazyLock::new(|| ALL.iter().map(|event| (event.message, event)).collect());
    let event = BY_MESSAGE.get(message)?;
    (event.level.name() == level).then_some(event.name)
}

logs! {
    /// A connection could not be accepted (`error`), often because the process has no free file handle. Connections
    /// that are open are not affected; the server tries again after a moment.
    accept_failed = Warn "no connection was accepted: the server tries again";
    /// An actor panicked or ended (`cause`). Its supervisor starts it again within its budget of restarts; callers wait
    /// meanwhile and get their answers.
    actor_died = Warn "an actor died: it is restarted, unless it keeps failing";
    /// An actor used up its budget of restarts. The root supervisor grants it a new one, a few times only.
    actor_failing = Error "an actor keeps failing: it is started once more";
    /// An actor used up its budget of restarts again and again. The process ends with exit code 70; whatever started it
    /// must start it again. Sessions that are stored go on then.
    actor_given_up = Error "an actor keeps failing: the process ends and must be restarted";
    /// The admin port accepts connections at `address`.
    admin_served = Info "the admin port is served";
    /// The node that was seen beside this one is gone. While Redis is down, changes are kept past the lease again.
    alone_again = Info "no other node uses the store any more: this node is alone again";
    /// Someone cleared the cache at the admin port. Answers stay right; the next calls on each node are slower.
    cache_cleared = Info "the cache was cleared on every node";
    /// Someone cleared the cache at the admin port, but Redis did not answer (`error`). Other nodes and the shared
    /// cache keep their entries until the request is repeated.
    cache_cleared_here = Warn "the cache was cleared on this node only: repeat the request for the others";
    /// A call was answered with an error that is the server's fault (`reason`, `cause`). Its caller has the answer,
    /// which says whether to retry.
    call_failed = Warn "a call failed";
    /// A call took more than 2 s. Its trace says which part of it did.
    call_slow = Info "a call was slow";
    /// A session lost changes that were acknowledged (`changes` says how many), because another node, or an older state
    /// of the store, went on without them. The session's next answers say so.
    changes_lost = Error "acknowledged changes are lost";
    /// The store went back to an older state of a session, and no node had the newer one. The session goes on from the
    /// older state; its next answers say so.
    changes_lost_in_rollback = Error "the store was rolled back: acknowledged changes are lost";
    /// The store went back to an older state of a session, and another node changed that one before this node could
    /// store the newer one. The session goes on with the changes of the other node; its next answers say so.
    changes_overtaken = Error "acknowledged changes are lost: another node changed the session, which is loaded again";
    /// The server was started with the switch for fault injection. Use it for tests only.
    chaos_on = Warn "CHAOS IS ON: callers of the admin port can panic, kill and stall every actor of this process";
    /// Someone used the admin port to crash or stall an actor (`actor`, `mode`). The actor is restarted, or goes on
    /// after `for_ms`.
    chaos_strike = Warn "CHAOS: an actor was struck";
    /// As many connections are open as the limit allows (`most`). One more was closed at once; open ones are not
    /// affected.
    connection_refused = Warn "too many connections: one was refused, and its client must connect again";
    /// The store of connections does not answer (`error`). Clients of this node notice nothing, but they cannot
    /// continue on another node until it answers.
    connections_away = Warn "the connection store is down: connections continue in memory";
    /// The store of connections answers again. Connections that were kept in memory are stored again.
    connections_back = Info "the connection store is back";
    /// The server stops, and some clients kept their connections open beyond the time limit. They are cut off; their
    /// calls were answered before, or are handed over to another node.
    connections_closed = Info "the time for draining is over: closing the connections that are still open";
    /// A node ended while it analysed this file (`path`), so the file may have crashed it. The call skips the file and
    /// says so in its answer.
    file_ended_node = Warn "a file is left out of a call: a node ended while it was analysed";
    /// The analysis of this file (`path`) panicked: that is a bug, please report it. The call skips the file and says
    /// so in its answer.
    file_panicked = Error "a file is left out of a call: its analysis panicked";
    /// The analysis of this file (`path`) needs more memory than one file may use (`limit` bytes). The call skips the
    /// file and says so in its answer.
    file_too_large = Warn "a file is left out of a call: its analysis takes too much memory";
    /// The analysis of this file (`path`) needs more steps than one file may use. The call skips the file and says so
    /// in its answer.
    file_too_long = Warn "a file is left out of a call: its analysis takes too many steps";
    /// The port for MCP accepts connections at `address`.
    http_served = Info "MCP over HTTP is served";
    /// A key of the index in Redis has a wrong type (`why`). The new session works and is found by its id, but it is
    /// not listed until `doctor --repair` has run.
    index_damaged = Error "a key of the index is damaged, and the session is not listed: run `mcp-code-analysis doctor --repair`";
    /// A key of this part of the index has a wrong type (`partition`, `why`). Evicted sessions of this part are not
    /// found and counted until `doctor --repair` has run.
    index_unsearchable = Warn "a part of the index is damaged and is not searched: run `mcp-code-analysis doctor --repair`";
    /// A session was created in memory while the store was down, with an idempotency key that another node used
    /// meanwhile. The session is stored and found by its id; the key finds the other one.
    key_taken = Info "a session is stored without its idempotency key, which belongs to another session by now";
    /// The store was down until the process ended, so what was kept in memory is gone (`changes`, `sessions`). Each
    /// answer said that it was not durable.
    memory_lost = Error "answers that were reported as not durable are lost: the store is down";
    /// A message of another node is damaged or of another version (`error`). Calls that it was about wait, and run
    /// after the lease of their session has ended if the nodes never understand each other.
    message_unreadable = Warn "a message of another node cannot be read: it is ignored, and that node asks again";
    /// A message to another node (`to`) was not sent (`error`). A call that needs that node asks again, and runs on
    /// this node if the other one is down.
    message_unsent = Warn "a message to another node was not sent: it counts as unanswered";
    /// A message to another node (`to`) has no valid form (`error`): that is a bug, please report it. A call that needs
    /// that node asks again until its lease has ended.
    message_unwritable = Error "a message to another node cannot be written: it counts as unanswered";
    /// This node was started as the only one of its store, but another one is alive (`advice` says which). Until one of
    /// them is changed, calls during an outage of Redis are recorded within the lease only.
    not_alone = Error "another node uses the store of this node, which runs with --single-node";
    /// The store knew a session that is in use here, but not its owner. The session was stored again and goes on.
    owner_stored_again = Warn "the store had lost the owner of a session, which is now stored again";
    /// An actor, an event loop or the lease keeper does not move (`name`, `doing`, `for_ms`). Calls that need it wait;
    /// it is not restarted.
    part_stuck = Warn "a part of the server is stuck: its callers wait";
    /// It moves again, after `took_ms`. Calls that waited go on.
    part_unstuck = Info "a part of the server is no longer stuck";
    /// A session could not be marked as damaged (`error`). Its callers get an error; the next call tries to mark it
    /// again.
    quarantine_failed = Warn "a session that cannot be read could not be quarantined: its next call tries again";
    /// Other nodes ask more at once than this node answers. The calls behind the ignored question wait about a second
    /// longer.
    questions_refused = Warn "too many questions of other nodes: one is ignored, and its node asks again";
    /// The receiver of telemetry takes this `signal` again. What was dropped meanwhile is not sent again.
    receiver_back = Info "the OTLP receiver takes telemetry again";
    /// The receiver of telemetry refuses this `signal` or is away (`error`). Calls are not affected;
    /// `mca.telemetry.dropped` counts what is dropped.
    receiver_refuses = Warn "the OTLP receiver does not take telemetry: it is dropped until the receiver does";
    /// Redis answers, but a setting of it (`warning`) makes it lose sessions that it has stored, or could not be
    /// checked. The server goes on.
    redis_unsafe = Warn "the configuration of Redis can cost stored sessions";
    /// The process gets no SIGHUP from the system (`error`). The tokens that it has read stay valid until it is
    /// restarted.
    reload_impossible = Warn "cannot listen for SIGHUP: new tokens are valid after a restart only";
    /// A stored session has a form that this version cannot read (`reason`). Only this session is affected: its callers
    /// get an error until an operator has released or closed it.
    session_damaged = Error "a stored session cannot be read: it is quarantined until an operator releases it";
    /// The actor of a session panicked or was killed (`cause`). It is loaded from the store and runs its calls again;
    /// callers wait meanwhile.
    session_died = Warn "a session died: it is restarted with its calls, unless it keeps failing";
    /// The index lists a session that Redis no longer has: it was evicted, or deleted by another client. It cannot be
    /// restored.
    session_gone = Warn "a session is gone before its end: its callers are answered unknown_session";
    /// A session died too often (`reason`). Only this session is affected: its callers get an error until an operator
    /// has released or closed it.
    session_quarantined = Error "the session is quarantined: it runs no calls until an operator releases it";
    /// A session that this node cannot read could not be given back to the store (`error`). Other nodes can use it
    /// after the lease.
    session_release_failed = Warn "a session that cannot be read could not be released: it stays with this node until its lease ends";
    /// Another node took the session, or the store has another state of it (`error`). Its actor stops; callers wait and
    /// are answered from the state that is then loaded, here or on the other node.
    session_reloaded = Warn "this node no longer owns the session as it knows it: the session is loaded again with its calls";
    /// The store went back to a state before that of a session in use here. The newer state was stored, and the session
    /// goes on.
    session_stored_again = Error "the store was rolled back: the session was stored again";
    /// The store has an older state of this session, or none (`error`). This node stores its own one;
    /// `session_stored_again` or `changes_overtaken` says how that ends.
    session_storing_again = Warn "the store lacks this session's state: storing it again, unless another node has changed the session";
    /// Sessions that Redis evicted were found in the index (`gone`, `so_far`). They are lost: set `maxmemory-policy
    /// noeviction`, and give Redis more memory.
    sessions_evicted = Error "Redis evicted sessions before their end: set maxmemory-policy noeviction";
    /// Redis does not answer questions about the shared cache in time (`why`). Answers stay right; files that this node
    /// has not seen are analysed again.
    shared_cache_away = Warn "the shared cache is skipped until it answers";
    /// The shared cache is used again.
    shared_cache_back = Info "the shared cache answers again";
    /// The Redis of the shared cache has little room left (`why` says how much, and what to do). Answers stay right;
    /// files are analysed more often.
    shared_cache_short = Warn "the Redis of the shared cache is short of memory: analyses are evicted and not stored";
    /// This node keeps as many sessions in memory as it may (`sessions`, `bytes`). Calls of other sessions fail if the
    /// store goes down.
    shelter_full = Warn "no room to keep further sessions in memory: while the store is down, they are not available";
    /// After an outage, the store had an older state of a session that this node kept in memory, or none. The newer one
    /// was stored.
    sheltered_stored_again = Warn "the store was rolled back: a session was stored again";
    /// Reading from stdin failed (`error`). The server answers nobody any more on stdio, and stops.
    stdin_failed = Info "cannot read from the client: its connection ends";
    /// Redis does not answer (`error`). If `calls_continue`, calls go on in memory and are not durable; else they are refused.
    store_away = Error "the store is down: connecting is retried";
    /// Redis could not be reached when the server started (`error`). The server starts anyway, with new sessions only,
    /// and keeps them in memory.
    store_away_at_start = Warn "the store is down at the start: connecting is retried, and nothing is durable until it answers";
    /// The store answers again. The sessions that this node kept in memory (`sessions` says how many) are stored.
    store_back = Info "the store is back: sessions that were kept in memory are stored again";
    /// The store did not remove sessions that have expired (`error`). They use memory of the store a little longer; no
    /// caller can reach them.
    sweep_failed = Warn "expired sessions could not be removed from the store: the next sweep tries again";
    /// The file of tokens could not be read or has an error (`error`), so nothing has changed: new tokens do not work,
    /// and removed ones still do. Correct the file and send SIGHUP again.
    tokens_kept = Error "tokens cannot be read again: those read before stay valid";
    /// The file of tokens is empty. Nobody can use the port until it has a token and SIGHUP is sent again.
    tokens_missing = Warn "the file has no tokens: every call is refused";
    /// The file of tokens was read after SIGHUP. New tokens work, and removed ones no longer do.
    tokens_read = Info "tokens read again";
    /// An address sent more wrong tokens in a minute than are `allowed`: a misconfigured client, or someone who
    /// guesses. Valid tokens from this address still work.
    wrong_tokens = Warn "too many wrong tokens in a minute: further wrong tokens from this address are refused with 429";
}
