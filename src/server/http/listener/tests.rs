//! Slow clients over real sockets, with limits short enough for a test.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::ResolvesServerCertUsingSni;
use tokio_util::sync::CancellationToken;

use super::*;

/// Longer than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(300);
const LIMITS: Limits = Limits {
    connections: 100,
    head_within: SOON,
    crowded_head_within: SOON,
    tls_within: SOON,
    write_within: SOON,
};
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

struct Served {
    address: SocketAddr,
    closing: CancellationToken,
    running: JoinHandle<()>,
    /// Receives a message whenever an endless answer is dropped.
    given_up: mpsc::Receiver<()>,
}

impl Served {
    async fn start(limits: Limits, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (gone, given_up) = mpsc::channel(1);
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/endless", get(move || endless(gone.clone())));
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        let running = tokio::spawn(async move {
            let loops = EventLoops::start().expect("threads");
            serve(
                listener,
                tls,
                router,
                &loops,
                limits,
                closed,
                Drain::within(SOON),
            )
            .await;
        });
        Self {
            address,
            closing,
            running,
            given_up,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    async fn is_served(&self) -> bool {
        let mut stream = self.connect().await;
        let sent = stream.write_all(REQUEST).await;
        let mut answer = [0; 12];
        sent.is_ok() && stream.read_exact(&mut answer).await.is_ok() && answer == *b"HTTP/1.1 200"
    }
}

/// More data than any buffer holds, for as long as the client reads.
async fn endless(gone: mpsc::Sender<()>) -> Response {
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            // Who waits for it waits for the first.
            let _ = self.0.try_send(());
        }
    }
    let chunks = stream::unfold(Told(gone), |told| async {
        Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; 1 << 16])), told))
    });
    Response::new(Body::from_stream(chunks))
}

/// Everything until the other end closes, which it must.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    // Reset or closed: both end the connection.
    let _ = read.expect("it ends");
    said
}

#[tokio::test]
async fn a_slow_head_times_out() {
    let served = Served::start(LIMITS, None).await;
    let (mut reader, mut writer) = served.connect().await.into_split();
    let trickle = tokio::spawn(async move {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        while writer.write_all(&head).await.is_ok() {
            head = b"x: y\r\n".to_vec();
            tokio::time::sleep(SOON / 10).await;
        }
    });
    let started = Instant::now();
    let mut said = Vec::new();
    let ended = timeout(PATIENCE, reader.read_to_end(&mut said)).await;
    let _ = ended.expect("it ends");
    assert!(started.elapsed() >= SOON / 2, "it had its time");
    trickle.await.expect("the trickle fails");
    assert!(served.is_served().await);
}

#[tokio::test]
async fn silent_connections_are_closed() {
    let served = Served::start(LIMITS, None).await;
    assert_eq!(rest(served.connect().await).await, b"");
    let mut used = served.connect().await;
    used.write_all(REQUEST).await.expect("it is there");
    let said = rest(used).await;
    assert!(said.starts_with(b"HTTP/1.1 200") && said.ends_with(b"here"));
}

#[tokio::test]
async fn a_missing_handshake_times_out() {
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    let served = Served::start(LIMITS, Some(TlsAcceptor::from(Arc::new(tls)))).await;
    assert_eq!(rest(served.connect().await).await, b"", "silence");
    let mut plain = served.connect().await;
    plain.write_all(REQUEST).await.expect("it is there");
    let said = rest(plain).await;
    assert!(!said.starts_with(b"HTTP"), "no word of it in the clear");
}

#[tokio::test]
async fn an_unread_answer_times_out_and_blocks_no_other() {
    let mut served = Served::start(LIMITS, None).await;
    let mut deaf = served.connect().await;
    let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    deaf.write_all(request).await.expect("it is there");
    assert!(served.is_served().await);
    let given_up = timeout(PATIENCE, served.given_up.recv()).await;
    assert!(given_up.expect("in time").is_some());
    assert!(served.is_served().await);
}

#[tokio::test]
async fn connections_over_the_limit_are_refused_until_one_ends() {
    let limits = Limits {
        connections: 2,
        head_within: PATIENCE,
        crowded_head_within: PATIENCE,
        ..LIMITS
    };
    let served = Served::start(limits, None).await;
    let mut first = served.connect().await;
    let second = served.connect().await;
    // The first is answered, so it has been accepted, and so has the second.
    first.write_all(REQUEST).await.expect("it is there");
    first.read_exact(&mut [0; 12]).await.expect("an answer");
    assert_eq!(rest(served.connect().await).await, b"");
    drop(second);
    let until = Instant::now() + PATIENCE;
    while !served.is_served().await {
        assert!(Instant::now() < until, "there is room");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn idle_connections_close_early_when_most_are_in_use() {
    let limits = Limits {
        connections: 4,
        head_within: PATIENCE * 2,
        ..LIMITS
    };
    let served = Served::start(limits, None).await;
    let (mut first, mut second) = (served.connect().await, served.connect().await);
    for stream in [&mut first, &mut second] {
        stream.write_all(REQUEST).await.expect("it is there");
        stream.read_exact(&mut [0; 12]).await.expect("an answer");
    }
    let silent = [served.connect().await, served.connect().await];
    for stream in silent {
        assert_eq!(rest(stream).await, b"");
    }
    // Connections accepted while there was room are still open.
    for stream in [&mut first, &mut second] {
        stream.write_all(REQUEST).await.expect("it is there");
        stream.read_exact(&mut [0; 12]).await.expect("an answer");
    }
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let limits = Limits {
        head_within: PATIENCE,
        crowded_head_within: PATIENCE,
        write_within: PATIENCE,
        ..LIMITS
    };
    let served = Served::start(limits, None).await;
    let mut deaf = served.connect().await;
    let request = b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n";
    deaf.write_all(request).await.expect("it is there");
    deaf.read_exact(&mut [0; 12]).await.expect("it begins");
    let mut half = served.connect().await;
    half.write_all(b"GET / HT").await.expect("it is there");
    served.closing.cancel();
    let over = timeout(PATIENCE / 2, served.running).await;
    over.expect("within its bound").expect("no panic");
}
