//! Syslog messages (RFC 5424) over TLS with octet counting (RFC 5425).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Record, Verdict};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::SinkError;

/// Facility 13, "log audit" (RFC 5424, table 1).
const FACILITY: u8 = 13;

pub(crate) struct Syslog {
    address: String,
    server_name: ServerName<'static>,
    tls: TlsConnector,
    timeout: Duration,
    /// The protocol has no acknowledgement, so a connection is kept: its end is the only sign of loss.
    connection: Mutex<Option<TlsStream<TcpStream>>>,
}

impl Syslog {
    pub(crate) fn new(
        address: &str,
        server_name: Option<&str>,
        tls: ClientConfig,
        timeout: Duration,
    ) -> Result<Self, String> {
        let (host, port) = address.rsplit_once(':').ok_or_else(|| format!("`{address}` is not `host:port`"))?;
        port.parse::<u16>().map_err(|_| format!("`{address}` is not `host:port`"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = server_name.unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is not a host name"))?;
        Ok(Self {
            address: address.to_owned(),
            server_name,
            tls: TlsConnector::from(Arc::new(tls)),
            timeout,
            connection: Mutex::new(None),
        })
    }

    pub(crate) async fn deliver(&self, records: &[Record]) -> Result<(), SinkError> {
        let mut bytes = Vec::new();
        for record in records {
            let message = message(record);
            bytes.extend_from_slice(message.len().to_string().as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(message.as_bytes());
        }
        match tokio::time::timeout(self.timeout, self.write(&bytes)).await {
            Err(_) => {
                *self.connection.lock().await = None;
                Err(SinkError::Timeout)
            }
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                *self.connection.lock().await = None;
                Err(SinkError::Unreachable(error.to_string()))
            }
        }
    }

    async fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut slot = self.connection.lock().await;
        // A receiver never speaks; what can be read is the end of the connection, noticed before writing into it.
        let gone = match slot.as_mut() {
            None => true,
            Some(stream) => {
                let mut byte = [0];
                tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await.is_ok()
            }
        };
        if gone {
            let socket = TcpStream::connect(&self.address).await?;
            *slot = Some(self.tls.connect(self.server_name.clone(), socket).await?);
        }
        match slot.as_mut() {
            Some(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            None => Ok(()),
        }
    }
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`, the message being the record's JSON in
/// UTF-8.
fn message(record: &Record) -> String {
    let (severity, kind) = match record {
        Record::Act(_) => (5, "act"),
        Record::Decision(event) => match event.verdict {
            Verdict::Allow => (6, "decision"),
            Verdict::Redact => (5, "decision"),
            Verdict::Hold | Verdict::Deny => (4, "decision"),
        },
    };
    let mut out = format!("<{}>1 {} - bartizan - {kind} ", FACILITY * 8 + severity, record.time());
    // 32473 is the enterprise number for examples and documentation (RFC 5612); Bartizan has none of its own.
    let _ =
        write!(out, "[bartizan@32473 id=\"{}\" seq=\"{}\" tenant=\"{}\"] ", record.id(), record.seq(), record.tenant());
    out.push('\u{feff}');
    out.push_str(&serde_json::to_string(record).unwrap_or_default());
    out
}
