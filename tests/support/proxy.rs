//! A plain round-robin proxy in front of several nodes. A node that cannot be reached, or closes before it answers, is
//! skipped. It does not look at the content of requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::PATIENCE;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    nodes: Mutex<Vec<SocketAddr>>,
    next: AtomicUsize,
    over: AtomicBool,
}

impl Proxy {
    pub(crate) fn before(nodes: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            nodes: Mutex::new(nodes),
            next: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if serving.over.load(Ordering::Relaxed) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // Either side may disconnect at any time.
                thread::spawn(move || drop(carry(client, &serving)));
            }
        });
        Self { address, shared }
    }

    /// Replaces the address of a node.
    pub(crate) fn replace(&self, nth: usize, node: SocketAddr) {
        self.shared.nodes.lock().expect("nodes")[nth] = node;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Carries one request per connection.
fn carry(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(PATIENCE))?;
    let request = read_request(&client)?;
    let nodes = shared.nodes.lock().expect("nodes").clone();
    let mut failures = Vec::new();
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    // Try each node twice: a node that is being replaced may be back.
    for nth in (first..first + 2 * nodes.len()).map(|nth| nth % nodes.len()) {
        let (mut node, first) = match ask(nodes[nth], &request) {
            Ok(asked) => asked,
            Err(error) => {
                failures.push(format!("{}: {error}", nodes[nth]));
                thread::sleep(Duration::from_millis(20));
                continue;
            }
        };
        client.write_all(&first)?;
        std::io::copy(&mut node, &mut client)?;
        return Ok(());
    }
    eprintln!(
        "no node answered: {failures:?}: {}",
        String::from_utf8_lossy(&request)
    );
    client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// The connection to a node that answers, and the first bytes of the answer.
fn ask(node: SocketAddr, request: &[u8]) -> std::io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(node)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut first = vec![0; 4096];
    let read = stream.read(&mut first)?;
    if read == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    first.truncate(read);
    Ok((stream, first))
}

fn read_request(client: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") {
            request.extend_from_slice(line.as_bytes());
        }
    }
    request.extend_from_slice(b"connection: close\r\n\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.extend_from_slice(&body);
    Ok(request)
}
