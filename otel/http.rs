//! The HTTP client for OTLP: blocking, used only on the exporters' own threads, with or without TLS.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::settings::Tls;

/// Longest time for one request, if `OTEL_EXPORTER_OTLP_TIMEOUT` names none: the standard's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read: receivers answer with a few bytes.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Client(Agent);

impl Client {
    /// # Errors
    /// A certificate or key cannot be read.
    pub(crate) fn new(tls: &Tls, timeout: Option<Duration>) -> Result<Self, String> {
        let mut config = TlsConfig::builder();
        if let Some(authority) = &tls.authority {
            config = config.root_certs(RootCerts::from(certificates(authority)?));
        }
        if let Some((own, key)) = &tls.own {
            let key = PrivateKey::from_pem(key).map_err(|error| error.to_string())?;
            config = config.client_cert(Some(ClientCert::new_with_certs(&certificates(own)?, key)));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(timeout.unwrap_or(DEFAULT_TIMEOUT)))
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(config.build())
            .build();
        Ok(Self(Agent::new_with_config(config)))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let ureq::tls::PemItem::Certificate(certificate) =
            item.map_err(|error| error.to_string())?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err("no certificate in the file".to_owned());
    }
    Ok(found)
}

#[async_trait]
impl HttpClient for Client {
    /// Blocks: the exporters run on threads of their own.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, body.to_vec());
        let (head, mut body) = self.0.run(request)?.into_parts();
        let body = body.with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}
