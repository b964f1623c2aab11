//! Certificates for tests of TLS, created with openssl.

use std::path::Path;
use std::process::Command;

use super::redis::installed;

/// Creates `ca.pem`, and `server.pem` with `server.key` for 127.0.0.1, in `folder`. Returns false without openssl.
pub(crate) fn make(folder: &Path) -> bool {
    if !installed("openssl") {
        return false;
    }
    let run = |line: &str| {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(folder)
            .output()
            .expect("openssl starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
    };
    std::fs::write(
        folder.join("server.ext"),
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n",
    )
    .expect("written");
    run("ecparam -name prime256v1 -genkey -noout -out ca.key");
    run("req -x509 -new -key ca.key -sha256 -days 2 -subj /CN=Test-CA -out ca.pem");
    run("ecparam -name prime256v1 -genkey -noout -out server.key");
    run("req -new -key server.key -subj /CN=127.0.0.1 -out server.csr");
    run(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -sha256 -extfile server.ext -out server.pem",
    );
    true
}
