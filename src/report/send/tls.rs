//! Whom we trust to be the mail server, and what is said when we do not.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::untrusted::for_terminal;

/// Whose signature a server's certificate needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those that this system trusts: an administrator's own authority is among them.
    System,
    /// Those in this PEM file, and no others.
    File(PathBuf),
}

/// Why there is no private connection, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Distrust {
    pub(super) what: String,
    pub(super) hint: Option<&'static str>,
}

/// What a handshake needs.
pub(super) fn config(authorities: &Authorities) -> Result<Arc<ClientConfig>, Distrust> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Authorities::System => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Authorities::File(path) => {
            let found = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| Distrust {
                    what: format!("cannot read certificates from {}: {error}", path.display()),
                    hint: None,
                })?;
            roots.add_parsable_certificates(found);
        }
    }
    if roots.is_empty() {
        return Err(Distrust {
            what: "there are no certificates of authorities in this system's store".to_owned(),
            hint: Some("apt install ca-certificates"),
        });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Distrust { what: error.to_string(), hint: None })?;
    Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

/// The name that the certificate must be for.
pub(super) fn name(host: &str) -> Result<ServerName<'static>, Distrust> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    ServerName::try_from(bare.to_owned()).map_err(|_| Distrust {
        what: format!("`{bare}` is not a name that a certificate can be for"),
        hint: Some("set smtp_host to the server's full name"),
    })
}

/// What is wrong with a handshake; `None` if the connection broke, which is no matter of trust.
pub(super) fn distrust(error: &io::Error) -> Option<Distrust> {
    let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(certificate) = tls else {
        let hint = match tls {
            rustls::Error::InvalidMessage(_) => {
                "the server does not speak TLS there: smtp_security = tls is for port 465, \
                 starttls for 587 and 25"
            }
            _ => "the server must offer TLS 1.2 or 1.3",
        };
        return Some(Distrust { what: format!("no TLS: {tls}"), hint: Some(hint) });
    };
    let (what, hint) = match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("has expired", "renew it on the server; check this machine's clock")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet", "check this machine's clock")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ("is for another name", "set smtp_host to a name that the certificate is for")
        }
        CertificateError::UnknownIssuer => (
            "is not signed by an authority that this machine trusts",
            "put the authority's certificate in /usr/local/share/ca-certificates and run \
             update-ca-certificates",
        ),
        CertificateError::Revoked => ("was revoked", "replace it on the server"),
        _ => ("cannot be used", "replace it on the server"),
    };
    // In the library's words come dates, and names that the server chose.
    let words: String =
        for_terminal(certificate.to_string().as_bytes()).chars().take(300).collect();
    Some(Distrust { what: format!("the server's certificate {what} ({words})"), hint: Some(hint) })
}
