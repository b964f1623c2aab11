//! The list: every span, attribute, event, metric, label and log event, declared once.
//!
//! The documentation (docs/telemetry.md) is generated from it; the dashboards and the alert rules are tested against it.
//! Names that OpenTelemetry's semantic conventions define are used as they are; all others begin with `mca.`.

use crate::define::{Attribute, Event, Kind, Metric, SpanKind, SpanName, Unit};

pub mod logs;

/// Seconds of a call: the bounds that the conventions of MCP recommend.
const CALL_TIMES: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// Seconds of a command to the store: the bounds that the conventions of databases recommend.
const STORE_TIMES: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// Seconds of a wait inside the process.
const WAIT_TIMES: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0,
];
/// Bytes of a commit: from an empty change to the largest state.
const SIZES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
];
/// Commits of one group.
const GROUPS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Attributes of spans, and labels of metrics.
pub mod attribute {
    use super::Attribute;

    attributes! {
        /// The method of the request, or `_OTHER` if it is unknown.
        METHOD = "mcp.method.name";
        /// The revision of the protocol.
        PROTOCOL_VERSION = "mcp.protocol.version";
        /// The id of the connection (`Mcp-Session-Id`), of revisions that have one.
        CONNECTION = "mcp.session.id";
        /// The id of the request, as the client chose it.
        JSONRPC_ID = "jsonrpc.request.id";
        /// The code of a JSON-RPC error.
        RPC_STATUS = "rpc.response.status_code";
        /// `execute_tool`.
        OPERATION = "gen_ai.operation.name";
        /// The tool, or `_OTHER` if it is unknown.
        TOOL = "gen_ai.tool.name";
        /// The arguments of a call, as JSON. Only with `--trace-arguments`.
        ARGUMENTS = "gen_ai.tool.call.arguments";
        /// Why it failed: `tool_error` for a call that answers with an error, a code, or `abandoned` for work whose owner is gone.
        ERROR_TYPE = "error.type";
        /// `pipe` (stdio) or `tcp` (HTTP).
        TRANSPORT = "network.transport";
        /// The method of an HTTP request.
        HTTP_METHOD = "http.request.method";
        /// The route of an HTTP request.
        HTTP_ROUTE = "http.route";
        /// The status of an HTTP response.
        HTTP_STATUS = "http.response.status_code";
        /// `http` or `https`.
        URL_SCHEME = "url.scheme";
        /// `redis`.
        DB_SYSTEM = "db.system.name";
        /// The Redis command.
        DB_OPERATION = "db.operation.name";
        /// The script that `EVALSHA` runs.
        DB_PROCEDURE = "db.stored_procedure.name";
        /// Commands in one pipeline, if there are several.
        DB_BATCH_SIZE = "db.operation.batch.size";
        /// The first word of an error of Redis (`OOM`, `READONLY`).
        DB_STATUS = "db.response.status_code";
        /// The host of Redis.
        SERVER_ADDRESS = "server.address";
        /// The port of Redis.
        SERVER_PORT = "server.port";
        /// The id of the session.
        SESSION = "mca.session.id";
        /// The id of the call. A retry, a restarted actor and another node have the same.
        REQUEST = "mca.request.id";
        /// The id of the stored result.
        RESULT = "mca.result.id";
        /// The id of the node.
        NODE = "mca.node.id";
        /// The name of the caller.
        PRINCIPAL = "mca.principal";
        /// Whose fault an error is: `caller` or `server`.
        FAULT = "mca.fault";
        /// The reason of an error, as the answer names it.
        REASON = "mca.reason";
        /// How durable the answer or commit is, as answers say it. `memory` with a Redis: it is away.
        DURABILITY = "mca.durability";
        /// How often the call was given to its session, or its tool was started.
        ATTEMPT = "mca.attempt";
        /// What went wrong, in words.
        CAUSE = "mca.cause";
        /// Calls in a batch.
        BATCH_CALLS = "mca.batch.calls";
        /// Files that the walk found.
        FILES_WALKED = "mca.files.walked";
        /// Files that were read.
        FILES_READ = "mca.files.read";
        /// Files that were parsed.
        FILES_PARSED = "mca.files.parsed";
        /// Bytes that were parsed.
        BYTES_PARSED = "mca.bytes.parsed";
        /// Keys that the cache was asked for.
        CACHE_KEYS = "mca.cache.keys";
        /// Keys that it had.
        CACHE_HITS = "mca.cache.hits";
        /// The level of the cache: `memory`, `shared` or `none`.
        CACHE_LEVEL = "mca.cache.level";
        /// What the commit records: `accepted`, `outcome` or `other`.
        COMMIT_PART = "mca.commit.part";
        /// Bytes of a commit.
        COMMIT_BYTES = "mca.commit.bytes";
        /// How a commit ended: `committed`, `unknown`, `fenced`, `lapsed`, `refused`, `away` or `failed`. How a renewal of a lease ended:
        /// `renewed`, `lost` or `away`.
        OUTCOME = "mca.outcome";
        /// Commits that were sent together.
        GROUP_SIZE = "mca.commit.group";
        /// The kind of actor: `session`, `registry`, `cache`, `pool`, `persistence`, `inbox`, `lease_keeper`, `root`, `session_supervisor` or `store_supervisor`; for what is stuck also `event_loop` and `runtime`.
        ACTOR = "mca.actor";
        /// Why a session was loaded: `woken`, `restarted` after a crash, or `taken_over` from another node with running calls.
        WHY = "mca.why";
        /// What a limit counts: `calls` in progress, `jobs_running` and `jobs_waiting` of the pool, `sessions_awake`, `sessions_loading` from the store, or `connections` that the node knows.
        PERMIT = "mca.permit";
        /// Where the state of sessions is kept: `memory` or `redis`.
        STORE = "mca.store";
        /// The state of a session (`awake`: it has an actor; `quarantined`: it was set aside by this node) or of the store.
        STATE = "mca.state";
        /// `given` or `taken`.
        DIRECTION = "mca.direction";
        /// The programming language.
        LANGUAGE = "mca.language";
        /// How a file was handled: `parsed`, `cached` or `skipped`.
        HANDLED = "mca.handled";
        /// `traces`, `metrics` or `logs`.
        SIGNAL = "mca.signal";
        /// The version of the program.
        VERSION = "service.version";
    }
}

/// Events on spans.
pub mod event {
    use super::Event;

    events! {
        /// The session has taken the call up, and decides.
        ACCEPTED = "accepted";
        /// The tool was given to the pool.
        STARTED = "started";
        /// The job of the call still ran, and the session waits for it again.
        ADOPTED = "adopted";
        /// The tool has ended, and its outcome is to be committed.
        FINISHED = "finished";
        /// The commit of the outcome was acknowledged.
        COMMITTED = "committed";
        /// The call was given up by its caller.
        CANCELLED = "cancelled";
        /// The answer was stored before: the call was answered from it.
        REPLAYED = "replayed";
        /// The commit gave no answer, and is sent again under the same id.
        SENT_AGAIN = "sent_again";
    }
}

/// Kinds of spans.
pub mod span {
    use super::attribute::*;
    use super::event::*;
    use super::{Attribute, Event, SpanKind, SpanName};

    spans! {
        /// One HTTP request, to the end of its response. Its name is the method and the route.
        HTTP = "" Server
            [HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS, URL_SCHEME, TRANSPORT, ERROR_TYPE] [];
        /// One call of a tool. Its name ends with the tool's. The parent is the `traceparent` of `_meta`, else the HTTP request.
        CALL = "tools/call" Server
            [METHOD, TOOL, OPERATION, JSONRPC_ID, PROTOCOL_VERSION, CONNECTION, TRANSPORT, RPC_STATUS, ERROR_TYPE, SESSION, REQUEST, RESULT,
             NODE, PRINCIPAL, FAULT, REASON, DURABILITY, ARGUMENTS, BATCH_CALLS] [CANCELLED];
        /// One request other than a call. Its name is the method.
        REQUEST_OTHER = "" Server
            [METHOD, JSONRPC_ID, PROTOCOL_VERSION, CONNECTION, TRANSPORT, RPC_STATUS, ERROR_TYPE, PRINCIPAL, NODE] [];
        /// One call of a batch. Its name ends with the tool's.
        BATCHED = "batch/call" Internal
            [TOOL, OPERATION, ERROR_TYPE, SESSION, REQUEST, RESULT, FAULT, REASON, DURABILITY] [];
        /// From the call's arrival to its session: the search for the session, and a wait while it loads.
        ADMISSION = "admission" Internal [SESSION, REQUEST, ATTEMPT, ERROR_TYPE] [];
        /// The call in its session, from the message to the reply: one for each time that the call is given to the session. It has failed as `session_died` if the session died over it.
        SESSION_CALL = "session" Internal
            [SESSION, REQUEST, ATTEMPT, ERROR_TYPE, CAUSE, NODE]
            [ACCEPTED, STARTED, ADOPTED, FINISHED, COMMITTED, CANCELLED, REPLAYED];
        /// A session is loaded from the store.
        SESSION_LOAD = "session.load" Internal [SESSION, WHY, ERROR_TYPE, CAUSE, NODE] [];
        /// The tool waits for a thread.
        POOL_WAIT = "pool.wait" Internal [SESSION, REQUEST] [];
        /// The tool runs. Its name ends with the tool's. What its spans leave of its time is the building of the answer.
        TOOL_RUN = "execute_tool" Internal
            [TOOL, OPERATION, SESSION, REQUEST, ATTEMPT, ERROR_TYPE, REASON] [CANCELLED];
        /// Finds the files, and hashes those that have changed.
        WALK = "walk" Internal [FILES_WALKED, FILES_READ, ERROR_TYPE] [];
        /// Asks the cache for the analyses of all files.
        CACHE_GET = "cache.get" Internal [CACHE_KEYS, CACHE_HITS, ERROR_TYPE] [];
        /// Parses and measures the files that the cache did not have.
        PARSE = "parse" Internal [FILES_PARSED, BYTES_PARSED, ERROR_TYPE] [];
        /// A call waits until a change of its session is committed.
        COMMIT = "commit" Internal
            [SESSION, REQUEST, COMMIT_PART, COMMIT_BYTES, OUTCOME, DURABILITY, GROUP_SIZE, ERROR_TYPE] [SENT_AGAIN];
        /// One command or pipeline to Redis that serves a call. Its name is the command, with the script.
        REDIS = "" Client
            [DB_SYSTEM, DB_OPERATION, DB_PROCEDURE, DB_BATCH_SIZE, DB_STATUS, SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE] [];
        /// A question to another node.
        RELAY_ASK = "relay.ask" Producer [NODE, SESSION, ERROR_TYPE] [];
        /// The answer to a question of another node.
        RELAY_ANSWER = "relay.answer" Consumer [NODE, SESSION, ERROR_TYPE] [];
        /// Leases are renewed.
        RENEW = "leases.renew" Internal [ERROR_TYPE] [];
        /// Expired sessions are removed from the store.
        SWEEP = "store.sweep" Internal [ERROR_TYPE] [];
        /// The node tells the others that it lives.
        HEARTBEAT = "heartbeat" Internal [ERROR_TYPE] [];
        /// A session is given to another node.
        HAND_OVER = "session.hand_over" Internal [SESSION, NODE, ERROR_TYPE] [];
        /// Sessions that were kept in memory are stored again, since the store is back.
        RETURN = "store.return" Internal [SESSION, ERROR_TYPE] [];
    }
}

/// Metrics. The fields of each are its labels.
pub mod metric {
    use super::*;

    metrics! {
        /// Time of one request, from its arrival to its answer.
        OperationDuration = "mcp.server.operation.duration" Histogram(CALL_TIMES) in Unit::Seconds
            { method: METHOD, tool: TOOL, error: ERROR_TYPE, fault: FAULT, transport: TRANSPORT };
        /// Life of one connection, of revisions that have connections, from its opening to its end or last use. Not counted: one that is
        /// closed on another node than it was opened on.
        ConnectionDuration = "mcp.server.session.duration" Histogram(CALL_TIMES) in Unit::Seconds
            { transport: TRANSPORT, error: ERROR_TYPE };
        /// Time of one command or pipeline to Redis.
        RedisDuration = "db.client.operation.duration" Histogram(STORE_TIMES) in Unit::Seconds
            { system: DB_SYSTEM, operation: DB_OPERATION, procedure: DB_PROCEDURE, error: ERROR_TYPE };
        /// Calls that were answered with an error, by the reason in the answer and by whose fault it is.
        CallErrors = "mca.call.errors" Counter in Unit::Count("{call}")
            { tool: TOOL, reason: REASON, fault: FAULT };
        /// Time a tool waited for a thread.
        PoolWait = "mca.pool.wait.duration" Histogram(WAIT_TIMES) in Unit::Seconds {};
        /// Permits in use, by what the limit counts.
        PermitsUsed = "mca.permits.used" Gauge in Unit::Count("{permit}") { permit: PERMIT };
        /// The limits.
        PermitsLimit = "mca.permits.limit" Gauge in Unit::Count("{permit}") { permit: PERMIT };
        /// Messages that wait, by kind of actor.
        Mailbox = "mca.actor.mailbox" Gauge in Unit::Count("{message}") { actor: ACTOR };
        /// Messages that were handled, by kind of actor.
        Messages = "mca.actor.messages" Counter in Unit::Count("{message}") { actor: ACTOR };
        /// Time spent on messages, by kind of actor.
        Busy = "mca.actor.busy" Counter in Unit::Seconds { actor: ACTOR };
        /// Restarts, by kind of actor.
        Restarts = "mca.actor.restarts" Counter in Unit::Count("{restart}") { actor: ACTOR };
        /// Actors, lease keepers and event loops that do not move, by kind.
        Stuck = "mca.actor.stuck" Gauge in Unit::Count("{actor}") { actor: ACTOR };
        /// How often one was found not to move, by kind.
        StuckFound = "mca.actor.stuck.found" Counter in Unit::Count("{actor}") { actor: ACTOR };
        /// Sessions that were set aside, because they failed again and again or could not be read.
        Quarantines = "mca.session.quarantines" Counter in Unit::Count("{session}") {};
        /// Time until a session ran again, by why it was loaded.
        Recovery = "mca.session.recovery.duration" Histogram(STORE_TIMES) in Unit::Seconds { why: WHY };
        /// Sessions, by state.
        Sessions = "mca.sessions" Gauge in Unit::Count("{session}") { state: STATE };
        /// Time from a commit's dispatch to its answer.
        CommitDuration = "mca.commit.duration" Histogram(STORE_TIMES) in Unit::Seconds { outcome: OUTCOME };
        /// Bytes of a commit.
        CommitSize = "mca.commit.size" Histogram(SIZES) in Unit::Bytes {};
        /// Commits that were sent together.
        CommitGroup = "mca.commit.group.size" Histogram(GROUPS) in Unit::Count("{commit}") {};
        /// Commits without an answer of the store.
        CommitsPending = "mca.commit.pending" Gauge in Unit::Count("{commit}") {};
        /// Commits whose outcome was unknown, and which are sent again.
        CommitsAmbiguous = "mca.commit.ambiguous" Counter in Unit::Count("{commit}") {};
        /// Commits that were refused because another node had taken the session.
        FenceRefusals = "mca.commit.fenced" Counter in Unit::Count("{commit}") {};
        /// Sessions that the store held in an older version than was acknowledged, and that were stored again.
        Regressions = "mca.store.regressions" Counter in Unit::Count("{session}") {};
        /// Acknowledged changes that are lost.
        Losses = "mca.store.losses" Counter in Unit::Count("{change}") {};
        /// 1 for the state that the store is in: `ready`, `returning` (sessions that were kept in memory are stored again) or `away`. 0 for the others.
        StoreState = "mca.store.state" Gauge in Unit::Count("{store}") { store: STORE, state: STATE };
        /// Sessions that are kept in memory while the store is away.
        Sheltered = "mca.store.sheltered" Gauge in Unit::Count("{session}") {};
        /// Leases that the lease keeper extends: those of sessions with running calls.
        Leases = "mca.lease.held" Gauge in Unit::Count("{lease}") {};
        /// Renewals of leases, by outcome.
        LeaseRenewals = "mca.lease.renewals" Counter in Unit::Count("{lease}") { outcome: OUTCOME };
        /// Sessions that were handed over to another node, or released at shutdown (`given`), and that were taken from one (`taken`).
        HandOvers = "mca.session.hand_overs" Counter in Unit::Count("{session}") { direction: DIRECTION };
        /// Keys that the cache was asked for, by the level that had them; `none`: not in the cache. A key that another call computes now
        /// counts as one in memory.
        CacheLookups = "mca.cache.lookups" Counter in Unit::Count("{key}") { level: CACHE_LEVEL };
        /// Bytes in the cache of this process.
        CacheSize = "mca.cache.size" Gauge in Unit::Bytes {};
        /// Files, by how they were handled.
        Files = "mca.analysis.files" Counter in Unit::Count("{file}") { handled: HANDLED };
        /// Bytes that were parsed, by language.
        BytesParsed = "mca.analysis.parsed" Counter in Unit::Bytes { language: LANGUAGE };
        /// Requests whose `traceparent` could not be read: a new trace was begun.
        MalformedParents = "mca.trace.malformed_parents" Counter in Unit::Count("{request}") {};
        /// Spans, log records and batches of metrics that were dropped, because the receiver was too slow, away or refused them.
        TelemetryDropped = "mca.telemetry.dropped" Counter in Unit::Count("{item}") { signal: SIGNAL, why: ERROR_TYPE };
        /// Spans, log records and batches of metrics that the receiver took.
        TelemetryExported = "mca.telemetry.exported" Counter in Unit::Count("{item}") { signal: SIGNAL };
        /// Log lines that were dropped, because nothing read stderr.
        LogLinesDropped = "mca.log.dropped" Counter in Unit::Count("{line}") {};
        /// Memory of the process that is in RAM.
        ProcessMemory = "process.memory.usage" Gauge in Unit::Bytes {};
        /// Open file handles of the process.
        ProcessFiles = "process.open_file_descriptor.count" Gauge in Unit::Count("{file_descriptor}") {};
        /// The limit on open file handles of the process.
        ProcessFilesLimit = "mca.process.file_descriptor.limit" Gauge in Unit::Count("{file_descriptor}") {};
        /// Time since the start of the service.
        ProcessUptime = "process.uptime" Gauge in Unit::Seconds {};
        /// Processor time that the process has used.
        ProcessCpu = "process.cpu.time" Counter in Unit::Seconds {};
        /// 1, with the version of the program.
        Build = "mca.build" Gauge in Unit::Count("{build}") { version: VERSION };
    }
}

pub use attribute::ALL as ATTRIBUTES;
use attribute::*;
pub use event::ALL as EVENTS;
pub use logs::ALL as LOGS;
pub use metric::ALL as METRICS;
pub use span::ALL as SPANS;
